"""Kept conversations: continued, read, polled, resumed, stopped, hidden, and nobody else's."""

from __future__ import annotations

import json
import threading
import time
import uuid
from typing import Any

import pytest

LOST = {"code": "conversation_not_found", "message": "Can't load this conversation."}


def document(caller: Any, reading: Any) -> Any:
    return caller.call("GET", f"/backend-api/conversation/{reading.conversation_id}")


def answers(document: Any) -> list[str]:
    messages = [node["message"] for node in document["mapping"].values() if node["message"]]
    return [
        one["content"]["parts"][0]
        for one in messages
        if one["author"]["role"] == "assistant" and "parts" in one["content"]
    ]


def test_a_conversation_goes_on(caller: Any) -> None:
    first = caller.read("Good morning")
    assert "turn **1**" in first.text
    where = {"conversation_id": first.conversation_id, "parent_message_id": first.answer_id}
    second = caller.read("And now?", **where)
    assert second.conversation_id == first.conversation_id
    assert "turn **2**" in second.text
    assert "“Good morning”" in second.text
    kept = document(caller, first).json()
    assert answers(kept) == [first.text, second.text]
    assert kept["current_node"] == second.answer_id
    chain = [kept["current_node"]]
    while (parent := kept["mapping"][chain[-1]]["parent"]) is not None:
        chain.append(parent)
    assert chain[-1] == "client-created-root"
    assert len(chain) == 5
    assert kept["mapping"][chain[-1]]["children"] == [chain[-2]]


def test_a_whole_history_in_one_request_counts_too(caller: Any) -> None:
    reading = caller.read("One", "Two", "Three")
    assert "turn **3**" in reading.text
    assert "“One”" in reading.text


def test_a_temporary_chat_is_not_kept(caller: Any) -> None:
    reading = caller.read("Psst", history_and_training_disabled=True)
    assert reading.conversation_id
    assert reading.tokens == {}
    answer = document(caller, reading)
    assert (answer.status, answer.json()["detail"]) == (404, LOST)


def test_nobody_sees_anothers_conversation(caller: Any, free_caller: Any) -> None:
    reading = caller.read("Mine")
    assert document(free_caller, reading).status == 404
    where = {"conversation_id": reading.conversation_id, "parent_message_id": reading.answer_id}
    assert free_caller.talk("Mine!", **where).status == 404
    assert caller.talk("Mine!", **{**where, "conversation_id": str(uuid.uuid4())}).status == 404


def test_workspaces_are_apart(caller: Any, control: Any) -> None:
    reading = caller.read("Personal")
    caller.headers["Chatgpt-Account-Id"] = control("/accounts")["accounts"][0]["workspaces"][1]
    assert document(caller, reading).status == 404


def test_a_parent_from_elsewhere_is_refused(caller: Any) -> None:
    reading = caller.read("Hi")
    where = {"conversation_id": reading.conversation_id, "parent_message_id": str(uuid.uuid4())}
    assert caller.talk("Hi", **where).status == 400


def test_hiding_and_renaming(caller: Any) -> None:
    reading = caller.read("Hi")
    path = f"/backend-api/conversation/{reading.conversation_id}"
    assert caller.call("PATCH", path, {"title": "New"}).json() == {"success": True}
    assert caller.call("GET", path).json()["title"] == "New"
    assert caller.call("PATCH", path, {"is_visible": False}).json() == {"success": True}
    assert caller.call("GET", path).status == 404


def test_an_answer_in_the_making_is_polled(caller: Any, now: list[float], control: Any) -> None:
    reading = caller.read("/sim picture later=30")
    expected = control("/requests")["requests"][-1]["expected"]
    assert (reading.images, reading.text) == ([], "")
    path = f"/backend-api/conversation/{reading.conversation_id}"

    def poll() -> tuple[Any, Any, list[str]]:
        kept = caller.call("GET", path).json()
        status = caller.call("GET", f"{path}/stream_status").json()["status"]
        return status, kept["async_status"], answers(kept)

    assert poll() == ("IS_STREAMING", 3, [])
    now[0] += 31
    assert poll() == ("COMPLETE", 4, [expected["text"]])
    kept = json.dumps(caller.call("GET", path).json())
    assert expected["images"][0] in kept
    assert caller.call("POST", f"{path}/async-status", {"status": None}).json() == {"status": "OK"}
    assert poll()[1] is None


@pytest.mark.parametrize("done", [0, 1])
def test_a_handed_over_stream_is_resumed(done: int, caller: Any, read: Any, control: Any) -> None:
    reading = caller.read(f"/sim handoff done={done}")
    assert (reading.text, reading.done) == ("", bool(done))
    assert "stream_handoff" in reading.types
    body = {"conversation_id": reading.conversation_id, "offset": 0}
    headers = {"x-conduit-token": reading.tokens["conduit"]}
    resumed = read(caller.post("/f/conversation/resume", body, headers).body)
    expected = control("/requests?endpoint=conversation")["requests"][-1]["expected"]
    assert (resumed.text, resumed.finish_reason, resumed.done) == (expected["text"], "stop", True)
    assert answers(document(caller, reading).json()) == [expected["text"]]


@pytest.mark.parametrize(
    ("recover", "status", "code"),
    [("poll", 410, "persisted_final_available"), ("none", 404, "tokenless_resume_unavailable")],
)
def test_resuming_may_be_impossible(recover: str, status: int, code: str, caller: Any) -> None:
    reading = caller.read(f"/sim text fault=close recover={recover}")
    body = {"conversation_id": reading.conversation_id, "offset": 9}
    headers = {"x-conduit-token": next(iter(reading.tokens.values()))}
    answer = caller.post("/f/conversation/resume", body, headers)
    assert (answer.status, answer.json()["detail"]["code"]) == (status, code)
    assert len(answers(document(caller, reading).json())) == (1 if recover == "poll" else 0)


@pytest.mark.parametrize("token", ["", "made-up"])
def test_resuming_needs_the_right_token(token: str, caller: Any) -> None:
    reading = caller.read("/sim text")
    body = {"conversation_id": reading.conversation_id, "offset": 0}
    assert caller.post("/f/conversation/resume", body, {"x-conduit-token": token}).status == 404


def test_a_resumed_stream_can_break_too(caller: Any, read: Any, control: Any) -> None:
    reading = caller.read("/sim handoff")
    control("/next", {"endpoint": "resume", "fault": "close", "params": {"after": 2}})
    body = {"conversation_id": reading.conversation_id, "offset": 0}
    headers = {"x-conduit-token": reading.tokens["conduit"]}
    broken = read(caller.post("/f/conversation/resume", body, headers).body)
    assert (broken.text, broken.done) == ("Hello there", False)


def test_a_running_stream_is_stopped(live: Any, live_caller: Any) -> None:
    live.control("/config", {"pacing": 20})
    readings = []
    thread = threading.Thread(
        target=lambda: readings.append(live_caller.read("/sim text words=99"))
    )
    thread.start()
    while not (live.records() and live.records()[-1]["tokens_sent"]):
        time.sleep(0.02)
    conversation_id = next(iter(live.control("/running")["running"]))["conversation_id"]
    live_caller.post("/stop_conversation", {"conversation_id": conversation_id})
    thread.join(5)
    record = live.records()[-1]
    assert (record["stopped"], record["completed"], record["aborted"]) == (True, True, False)
    assert readings[0].text.startswith("word1")
    assert len(readings[0].text.split()) < 90


def test_one_message_at_a_time_when_so_configured(live: Any, live_caller: Any) -> None:
    live.control("/config", {"max_parallel_turns": 1})
    headers = {**live_caller.headers, **live_caller.two_step()}
    body = live_caller.body("/sim text fault=quiet seconds=30")
    first = live.open("POST", "/backend-api/f/conversation", headers, body)
    assert first.getresponse().status == 200
    second = live_caller.talk("Me too")
    assert second.status == 429
    assert second.json()["detail"].startswith("Only one message at a time.")
    first.close()
    deadline = time.monotonic() + 2
    while live_caller.talk("/sim text").status != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert live_caller.talk("/sim text").status == 200
