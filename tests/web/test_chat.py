"""POST /v1/chat/completions from body to bytes, over a provider that plays a script."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Limits, Message, ReplyTo, Text
from chat2api.chat.events import Finish, ReasoningDelta, TextDelta, Thread
from chat2api.errors import (
    ConversationNotFound,
    UpstreamBadResponse,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)

HELLO = [TextDelta("Hel"), TextDelta("lo!"), Finish("stop")]
CUT = UpstreamTruncated("The upstream's stream ended before the answer did.")


def told(response: Any) -> list[Any]:
    """The payloads of a stream, in order; comments as they are."""
    assert response.status_code == 200
    blocks = [block for block in response.get_data(as_text=True).split("\n\n") if block]
    found: list[Any] = []
    for block in blocks:
        kind, _, data = block.partition(": ")
        found.append(data if kind != "data" or data == "[DONE]" else json.loads(data))
    return found


def deltas(payloads: list[Any], index: int = 0) -> list[Any]:
    choices = [one["choices"][0] for one in payloads if isinstance(one, dict) and "choices" in one]
    return [one["finish_reason"] or one["delta"] for one in choices if one["index"] == index]


def settled(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 3
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def nothing_is_left(site: Any) -> Any:
    """However a request ended, its turns have ended and nobody watches it."""
    yield
    settled(site.is_idle)


# --- whole answers


def test_a_whole_answer(site: Any) -> None:
    response = site.ask(model="gpt-5-5")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    document = response.get_json()
    assert re.fullmatch(r"chatcmpl-[A-Za-z0-9]{29}", document.pop("id"))
    assert abs(document.pop("created") - time.time()) < 10
    assert document.pop("usage")["completion_tokens"] > 0
    assert document == {
        "object": "chat.completion",
        "model": "gpt-5-5",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello!",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "service_tier": "default",
        "system_fingerprint": None,
    }


def test_what_should_be_known_of_an_answer_is_a_header(site: Any) -> None:
    site.plays([TextDelta("Hello!"), Finish("stop", notes=("tool_call_invalid",))])
    response = site.ask(n=2)
    assert response.headers["x-chat2api-warning"] == "tool_call_invalid"
    assert response.get_json()["choices"][0]["message"]["content"] == "Hello!"


def test_what_the_provider_is_asked(site: Any) -> None:
    site.ask(
        model="gpt-5-5",
        stop=["X"],
        max_tokens=9,
        reasoning_effort="high",
        conversation_id="conv-1",
        parent_message_id="message-1",
    )
    ((conversation, credential, call),) = site.provider.turns
    assert conversation == Conversation(
        model="gpt-5-5",
        messages=(Message("user", (Text("Say hi"),)),),
        limits=Limits(9, ("X",)),
        reply_to=ReplyTo("conv-1", "message-1"),
        keep_history=True,
        reasoning_effort="high",
    )
    assert credential == site.pool.account.credential
    assert call.error is None


def test_a_body_is_json_whatever_it_is_called(site: Any) -> None:
    """curl -d says that it sends a form."""
    body = json.dumps({"messages": [{"role": "user", "content": "Hi"}]})
    form = "application/x-www-form-urlencoded"
    response = site.send("POST", "/v1/chat/completions", data=body, content_type=form)
    assert response.status_code == 200


@pytest.mark.parametrize(("slow", "seconds"), [(False, 900), (True, 3600)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_model_has_more_time(site: Any, slow: bool, seconds: float, stream: bool) -> None:
    site.provider.slow = slow
    site.ask(stream=stream).get_data()
    ((_, _, call),) = site.provider.turns
    assert abs(call.remaining() - seconds) < 10


# --- streams


def test_a_stream(site: Any) -> None:
    site.plays([ReasoningDelta("Hm"), Thread("c", "m"), *HELLO])
    response = site.ask(stream=True, model="gpt-5-5")
    assert {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
    }.items() <= dict(response.headers).items()
    assert "Content-Length" not in response.headers
    *chunks, done = told(response)
    assert done == "[DONE]"
    role, *texts, end = deltas(chunks)
    assert (role, end) == ({"role": "assistant", "content": "", "refusal": None}, "stop")
    assert "".join(one.get("content", "") for one in texts) == "Hello!"
    assert "".join(one.get("reasoning_content", "") for one in texts) == "Hm"
    (answer_id,) = {chunk["id"] for chunk in chunks}
    assert re.fullmatch(r"chatcmpl-[A-Za-z0-9]{29}", answer_id)
    assert (chunks[-1]["conversation_id"], chunks[-1]["message_id"]) == ("c", "m")
    assert not any("usage" in chunk for chunk in chunks)


def test_usage_is_counted_where_it_is_asked_for(site: Any) -> None:
    *chunks, done = told(site.ask(stream=True, stream_options={"include_usage": True}))
    assert (done, chunks[-1]["choices"]) == ("[DONE]", [])
    assert chunks[-1]["usage"]["completion_tokens"] > 0


def test_what_is_said_at_once_arrives_at_once(site: Any) -> None:
    """The first text is on the wire while the upstream still thinks."""
    go_on = threading.Event()
    site.plays([TextDelta("Hel"), lambda: go_on.wait(5), TextDelta("lo!"), Finish("stop")])
    pieces = site.ask(stream=True).iter_encoded()
    assert b'"Hel"' in next(pieces)
    assert site.provider.running == 1
    go_on.set()
    assert b"[DONE]" in b"".join(pieces)


def test_a_caller_that_leaves_ends_the_turn(site: Any) -> None:
    left = threading.Event()
    site.plays([TextDelta("Hel"), lambda: left.wait(5), *HELLO])
    response = site.ask(stream=True)
    next(response.iter_encoded())
    response.close()
    ((_, _, call),) = site.provider.turns
    assert call.error.code == "client_closed_request"
    left.set()


# --- failures


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "code", "wait"),
    [
        (UpstreamBadResponse("Bad."), 502, "upstream_bad_response", "2"),
        (UpstreamTimeout("Slow."), 504, "upstream_timeout", "2"),
        (UpstreamRateLimited("Enough.", retry_after=76.2), 429, "rate_limit_exceeded", "77"),
        (ConversationNotFound("Gone."), 404, "conversation_not_found", None),
        (RuntimeError("a bug with sk-secret"), 500, "internal_error", None),
    ],
)
def test_a_failure_before_the_first_event_is_a_status(
    site: Any, stream: bool, error: Exception, status: int, code: str, wait: str | None
) -> None:
    site.plays([error])
    response = site.ask(stream=stream)
    assert (response.status_code, response.content_type) == (status, "application/json")
    told_error = response.get_json()["error"]
    assert (set(told_error), told_error["code"]) == ({"message", "type", "param", "code"}, code)
    assert response.headers.get("Retry-After") == wait
    assert "sk-secret" not in response.get_data(as_text=True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_in_the_middle(site: Any, stream: bool) -> None:
    go_on = threading.Event()
    site.plays([TextDelta("Hel"), lambda: go_on.wait(5), CUT])
    if not stream:
        go_on.set()
    response = site.ask(stream=stream)
    if not stream:
        assert (response.status_code, response.get_json()["error"]["code"]) == (
            502,
            "upstream_truncated",
        )
        return
    pieces = response.iter_encoded()
    assert b"Hel" in next(pieces)
    go_on.set()
    rest = b"".join(pieces)
    assert json.loads(rest.removeprefix(b"data: ")) == {
        "error": {
            "message": CUT.message,
            "type": "server_error",
            "param": None,
            "code": "upstream_truncated",
        }
    }


def test_a_failure_after_a_keep_alive_is_told_in_the_stream(site: Any) -> None:
    """Then the status is out; the type is one that agents try again on."""
    failing = threading.Event()
    site.given["keepalive_seconds"] = 0.001

    def one_beat() -> None:
        time.sleep(0.002)
        site.watchdog.tick(time.monotonic())

    site.plays([one_beat, lambda: failing.wait(5), ConversationNotFound("Gone.")])
    response = site.ask(stream=True)
    pieces = response.iter_encoded()
    assert (response.status_code, next(pieces)) == (200, b": keep-alive\n\n")
    failing.set()
    rest = b"".join(pieces)
    assert json.loads(rest.removeprefix(b"data: "))["error"] == {
        "message": "Gone.",
        "type": "server_error",
        "param": None,
        "code": "conversation_not_found",
    }


def test_a_time_limit_ends_the_turn(site: Any) -> None:
    site.plays([lambda: site.watchdog.tick(), *HELLO])
    response = site.ask()
    assert (response.status_code, response.get_json()["error"]["code"]) == (504, "upstream_timeout")


@pytest.mark.parametrize("stream", [False, True])
def test_a_turn_without_an_end_is_not_told_as_a_whole_one(site: Any, stream: bool) -> None:
    site.plays([TextDelta("Hel")])
    response = site.ask(stream=stream)
    assert response.status_code == (200 if stream else 502)
    assert b'"upstream_truncated"' in response.get_data()
    assert b"[DONE]" not in response.get_data()
    assert b'"stop"' not in response.get_data()


@pytest.mark.parametrize("stream", [False, True])
def test_a_bug_before_the_turn_leaves_nothing_behind(
    site: Any, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(site.provider), "is_slow")
    assert site.ask(stream=stream).status_code == 500


# --- several choices


@pytest.mark.parametrize("stream", [False, True])
def test_choices_are_turns_of_their_own(site: Any, stream: bool) -> None:
    """All at once: each waits for the others to have begun."""
    barrier = threading.Barrier(3, timeout=5)
    scripts = [[barrier.wait, TextDelta(f"No. {n}"), Finish("stop")] for n in range(3)]
    site.plays(*scripts)
    response = site.ask(n=3, stream=stream)
    if stream:
        payloads = told(response)
        said = ["".join(one["content"] for one in deltas(payloads, i)[:-1]) for i in range(3)]
        assert payloads[-1] == "[DONE]"
        assert payloads.count("[DONE]") == 1
        assert [deltas(payloads, index)[-1] for index in range(3)] == ["stop"] * 3
    else:
        choices = response.get_json()["choices"]
        said = [one["message"]["content"] for one in choices]
        assert [one["index"] for one in choices] == [0, 1, 2]
    assert sorted(said) == ["No. 0", "No. 1", "No. 2"]


@pytest.mark.parametrize("stream", [False, True])
def test_one_choice_that_fails_ends_the_others(site: Any, stream: bool) -> None:
    """Its error stands for all, and nobody goes on for an answer that cannot be told."""
    begun = threading.Barrier(3, timeout=5)

    def until_cancelled() -> None:
        ((_, _, call), *_) = site.provider.turns
        call.pause(5)

    failing = [begun.wait, UpstreamRateLimited("Enough.", retry_after=3)]
    waiting = [begun.wait, until_cancelled, *HELLO]
    site.plays(waiting, failing, waiting)
    began = time.monotonic()
    response = site.ask(n=3, stream=stream)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert response.get_json()["error"]["code"] == "rate_limit_exceeded"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("stream", [False, True])
def test_all_choices_fail(site: Any, stream: bool) -> None:
    site.plays([UpstreamBadResponse("Bad.")])
    response = site.ask(n=8, stream=stream)
    assert (response.status_code, len(site.provider.turns)) == (502, 8)


def test_one_choice_that_fails_in_mid_stream(site: Any) -> None:
    said = threading.Event()
    failing: list[Any] = [lambda: said.wait(5), CUT]
    site.plays([TextDelta("Hel"), lambda: said.wait(5), *HELLO], failing)
    pieces = site.ask(n=2, stream=True).iter_encoded()
    assert b"Hel" in next(pieces)
    said.set()
    rest = b"".join(pieces)
    assert rest.count(b'"error"') == 1
    assert b"[DONE]" not in rest
    assert json.loads(rest.rpartition(b"data: ")[2])["error"]["code"] == "upstream_truncated"


# --- requests that never become a turn


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "oracle", "content": "x"}]}, "messages[0].role"),
        ({"n": 9}, "n"),
        ({"n": 0}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_a_wrong_body(site: Any, body: dict[str, Any], param: str) -> None:
    response = site.ask(**body)
    error = response.get_json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"] == param
    assert site.provider.turns == []


def test_the_key_is_looked_at_before_the_body(site: Any) -> None:
    for key in (None, "sk-wrong"):
        response = site.ask(key=key, messages="not even a list")
        error = response.get_json()["error"]
        assert (response.status_code, error["code"]) == (401, "invalid_api_key")
    assert site.provider.turns == []
