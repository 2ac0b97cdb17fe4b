"""The conversation calls by generation: which exist, what they ask for, how they choose."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        ("2024", {"requirements": 200, "prepare": 404, "conduit": 404, "f": 404, "classic": 403}),
        ("2026", {"requirements": 404, "prepare": 200, "conduit": 200, "f": 403, "classic": 405}),
        ("both", {"requirements": 200, "prepare": 200, "conduit": 200, "f": 403, "classic": 403}),
    ],
)
def test_which_routes_exist(
    generation: str, expected: dict[str, int], caller: Any, control: Any
) -> None:
    p = "gAAAAAC" + caller.single()["openai-sentinel-proof-token"].removeprefix("gAAAAAB")
    control("/config", {"generation": generation})
    body = caller.body("Hi")
    statuses = {
        "requirements": caller.post("/sentinel/chat-requirements", {"p": p}),
        "prepare": caller.post("/sentinel/chat-requirements/prepare", {"p": p}),
        "conduit": caller.post("/f/conversation/prepare", body),
        "f": caller.post("/f/conversation", body),  # without tokens: refused, but there
        "classic": caller.post("/conversation", body),
    }
    assert {name: answer.status for name, answer in statuses.items()} == expected


def test_the_anonymous_keep_the_classic_call(anonymous: Any, control: Any) -> None:
    control("/config", {"generation": "2026"})
    reading = anonymous.read("/sim text")
    assert reading.finish_reason == "stop"
    assert "message_stream_complete" in reading.types
    assert reading.tokens == {}


def test_the_classic_call_may_be_gone_altogether(caller: Any, control: Any) -> None:
    control("/config", {"generation": "2026", "classic_status": 404})
    assert caller.post("/conversation", caller.body("Hi")).status == 404


def test_a_relay_may_take_care_of_requirements(caller: Any, control: Any, read: Any) -> None:
    control("/config", {"sentinel": "off"})
    answer = caller.post("/conversation", caller.body("/sim text", era="2024"))
    assert read(answer.body).finish_reason == "stop"


@pytest.mark.parametrize(
    ("fields", "scenario"),
    [
        ({}, "echo"),
        ({"system_hints": ["picture_v2"]}, "picture"),
        ({"system_hints": ["search"]}, "search"),
        ({"system_hints": ["reason"]}, "reasoning"),
        ({"action": "continue"}, "continue"),
    ],
)
def test_a_request_may_choose_by_itself(
    fields: dict[str, Any], scenario: str, caller: Any, control: Any
) -> None:
    assert caller.talk("Hello", **fields).status == 200
    assert control("/requests")["requests"][-1]["scenario"] == scenario


def test_a_reasoning_model_thinks_about_the_message(caller: Any) -> None:
    assert caller.read("Hello", model="gpt-5-5-thinking").reasoning.startswith("Reading\n")
    assert caller.read("Hello", model="o1-preview", era="2024").reasoning.startswith("**Reading**")


def test_half_a_surrogate_pair_is_carried_through(caller: Any) -> None:
    reading = caller.read("broken \ud83d emoji")
    assert "> broken \ud83d emoji" in reading.text
    path = f"/backend-api/conversation/{reading.conversation_id}"
    assert "broken \ud83d emoji" in caller.call("GET", path).json()["title"]


def test_too_long_a_message(caller: Any, control: Any) -> None:
    control("/config", {"max_message_chars": 10})
    answer = caller.talk("x" * 11)
    assert answer.status == 413
    assert answer.json()["detail"]["code"] == "message_length_exceeds_limit"


@pytest.mark.parametrize(("encoding", "mark"), [("v1", True), ("snapshot", False)])
def test_the_encoding_may_be_forced(encoding: str, mark: bool, caller: Any, control: Any) -> None:
    control("/config", {"encoding": encoding})
    body = caller.talk("/sim text", supported_encodings=[] if mark else ["v1"]).body
    assert (b"event: delta_encoding" in body) is mark


@pytest.mark.parametrize(
    ("echo", "roles"),
    [("all", ["system", "user", "assistant", "user"]), ("user", ["user", "user"]), ("none", [])],
)
def test_sent_messages_come_back_first(
    echo: str, roles: list[str], caller: Any, control: Any, read: Any
) -> None:
    control("/config", {"echo_inputs": echo})
    body = caller.body("One", "Two", "Three", "/sim text")
    for message, role in zip(
        body["messages"], ["system", "user", "assistant", "user"], strict=True
    ):
        message["author"]["role"] = role
    sent = {message["id"] for message in body["messages"]}
    reading = read(caller.post("/f/conversation", body, caller.two_step()).body)
    echoed = [one["author"]["role"] for one in reading.messages if one["id"] in sent]
    assert echoed == roles


def test_prepare_gives_a_conduit_unless_told_otherwise(caller: Any, control: Any) -> None:
    body = {"action": "next", "model": "auto", "parent_message_id": "client-created-root"}
    assert set(caller.post("/f/conversation/prepare", body).json()) == {"status", "conduit_token"}
    control("/config", {"conduit": "missing"})
    assert caller.post("/f/conversation/prepare", body).json() == {"status": "ok"}
    assert caller.post("/f/conversation/prepare", {}).status == 422


def as_account(caller: Any, account: Any) -> Any:
    caller.headers["Authorization"] = f"Bearer {account['access_token']}"
    return caller


def test_a_quota_is_used_up_until_its_window_ends(
    caller: Any, control: Any, now: list[float]
) -> None:
    ann = as_account(caller, control("/accounts", {"name": "ann", "quota": 2, "quota_seconds": 60}))
    assert [ann.talk("hi").status for _ in range(2)] == [200, 200]
    now[0] += 18
    answer = ann.talk("hi", model="o3")
    text = "You have sent too many messages to the model. Please try again later."
    detail = {"code": "model_cap_exceeded", "message": text, "clears_in": 42}
    assert (answer.status, answer.json()) == (429, {"detail": detail})
    assert control("/stats")["counters"]["refused.quota"] == 1
    now[0] += 42
    assert ann.talk("hi").status == 200


def test_a_quota_of_one_model(caller: Any, control: Any) -> None:
    wish = {"name": "ann", "quota": 1, "quota_models": ["o3"]}
    ann = as_account(caller, control("/accounts", wish))
    models = ["o3", "o3", "auto", "auto"]
    assert [ann.talk("hi", model=model).status for model in models] == [200, 429, 200, 200]


def test_a_quota_in_the_words_of_the_codex_backend(
    caller: Any, control: Any, now: list[float]
) -> None:
    control("/config", {"quota_form": "resets_at"})
    wish = {"name": "ann", "quota": 0, "quota_seconds": 60}
    answer = as_account(caller, control("/accounts", wish)).talk("hi")
    code = "usage_limit_reached"
    assert answer.status == 429
    assert answer.json()["error"] == {
        "code": code,
        "type": code,
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": int(now[0]) + 60,
        "resets_in_seconds": 60,
        "eligible_promo": None,
    }


def test_a_refused_turn_costs_nothing(caller: Any, control: Any) -> None:
    ann = as_account(caller, control("/accounts", {"name": "ann", "quota": 1}))
    assert ann.talk("/sim text fault=status").status == 500
    assert [ann.talk("hi").status for _ in range(2)] == [200, 429]


def test_a_deactivated_workspace_takes_no_turns(caller: Any, control: Any) -> None:
    wish = {"name": "ann", "workspaces": ["w1", "w2"], "deactivated": ["w2"]}
    ann = as_account(caller, control("/accounts", wish))
    assert ann.talk("hi").status == 200
    ann.headers["Chatgpt-Account-Id"] = "w2"
    answer = ann.talk("hi")
    assert (answer.status, answer.json()["detail"]["code"]) == (402, "deactivated_workspace")
