"""Streams that end before their answer does: hand-over, resume, polling (fault matrix B20)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

KEPT = {"history_disabled": False}
WORDS = " ".join(f"word{n}" for n in range(1, 41))


def seen(upstream: Any) -> list[str]:
    """The endpoints called for the turn itself, in order."""
    records = upstream.control("requests")["requests"]
    wanted = ("conversation", "resume", "read")
    return [record["endpoint"] for record in records if record["endpoint"] in wanted]


@pytest.fixture
def server(stream_server: Any) -> Any:
    return stream_server


@pytest.fixture(params=["v1", "snapshot"])
def encoding(request: pytest.FixtureRequest, upstream: Any) -> str:
    upstream.control("config", {"encoding": request.param})
    return str(request.param)


def assert_whole(told: list[Any], text: str) -> None:
    """The text once, one finish, one end."""
    chunks = [one for one in told if isinstance(one, dict)]
    assert "".join(one["choices"][0]["delta"].get("content") or "" for one in chunks) == text
    reasons = [one["choices"][0]["finish_reason"] for one in chunks]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert told.count("[DONE]") == 1
    assert told[-1] == "[DONE]"


@pytest.mark.parametrize("scenario", ["handoff", "handoff done=0", "handoff takes=0.5"])
def test_a_hand_over_is_followed(
    server: Any, upstream: Any, encoding: str, dial: Any, payloads: Any, scenario: str
) -> None:
    wire = dial(server)
    assert wire.ask(f"/sim {scenario}", **KEPT).head() == 200
    text = upstream.control("expected?scenario=handoff")["text"]
    assert_whole(payloads(wire.body()), text)
    assert seen(upstream)[:2] == ["conversation", "resume"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_hand_over_that_cannot_be_followed_is_an_error(
    server: Any, upstream: Any, dial: Any, stream: bool
) -> None:
    """A temporary chat has nothing to resume: never an empty success."""
    wire = dial(server)
    assert wire.ask("/sim handoff", stream=stream).head() == 502
    error = json.loads(wire.body())["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_truncated")
    assert "resume" not in seen(upstream)


@pytest.mark.parametrize("fault", ["reset", "cut", "close"])
def test_a_broken_stream_is_resumed(
    server: Any, upstream: Any, encoding: str, dial: Any, payloads: Any, fault: str
) -> None:
    wire = dial(server)
    wire.ask(f"/sim text words=40 fault={fault} after=7 recover=resume", **KEPT).head()
    told = payloads(wire.body())
    assert_whole(told, WORDS)
    assert seen(upstream) == ["conversation", "resume"]
    assert {one.get("conversation_id") for one in told[-3:-1]} != {None}


@pytest.mark.parametrize("stream", [True, False])
def test_a_stored_answer_is_polled(
    server: Any, upstream: Any, encoding: str, dial: Any, payloads: Any, stream: bool
) -> None:
    wire = dial(server)
    directive = "/sim text words=40 fault=close after=7 recover=poll"
    assert wire.ask(directive, stream=stream, **KEPT).head() == 200
    if stream:
        assert_whole(payloads(wire.body()), WORDS)
    else:
        assert json.loads(wire.body())["choices"][0]["message"]["content"] == WORDS
    assert seen(upstream)[0] == "conversation"
    assert seen(upstream)[-1] == "read"
    assert seen(upstream).count("conversation") == 1


def test_what_is_lost_upstream_is_told(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    began = time.monotonic()
    wire.ask("/sim text words=40 fault=close after=3 recover=none", **KEPT).head()
    body = wire.body()
    assert time.monotonic() - began < 2
    told = payloads(body)
    assert streamed_text(told).split() == ["word1", "word2", "word3"]
    assert told[-1]["error"]["code"] == "upstream_truncated"
    assert b"[DONE]" not in body
    assert seen(upstream).count("conversation") == 1


def test_an_error_in_a_kept_turn_is_told(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    began = time.monotonic()
    wire.ask("/sim text words=40 fault=midway after=3", **KEPT).head()
    told = payloads(wire.body())
    assert time.monotonic() - began < 2
    assert streamed_text(told).split() == ["word1", "word2", "word3"]
    assert told[-1]["error"]["code"] == "upstream_bad_response"


def test_silence_is_resumed_before_it_is_given_up(
    narrow_server: Any, upstream: Any, dial: Any, payloads: Any
) -> None:
    wire = dial(narrow_server)
    began = time.monotonic()
    wire.ask("/sim text words=40 fault=silence after=7 seconds=60 recover=resume", **KEPT).head()
    told = payloads(wire.body())
    assert 0.5 < time.monotonic() - began < 2
    assert_whole(told, WORDS)
    assert seen(upstream) == ["conversation", "resume"]


def test_the_next_turn_continues_after_a_recovery(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text words=40 fault=close after=7 recover=resume", **KEPT).head()
    last = payloads(wire.body())[-2]
    reply_to = {name: last[name] for name in ("conversation_id", "message_id")}
    parent = {"parent_message_id": reply_to["message_id"]}
    assert wire.ask("Go on", conversation_id=reply_to["conversation_id"], **parent).head() == 200
    assert "This is turn **2**" in streamed_text(payloads(wire.body()))


@pytest.mark.parametrize(
    ("directive", "waits_in"),
    [
        ("handoff", "resume"),
        ("text words=40 tps=20 fault=close recover=poll", "read"),
    ],
)
def test_who_hangs_up_during_a_recovery_frees_the_account(
    narrow_server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    eventually: Any,
    directive: str,
    waits_in: str,
) -> None:
    if waits_in == "resume":
        hang = {"endpoint": "resume", "fault": "hang", "params": {"seconds": 60}}
        upstream.control("next", hang)
    wire = dial(narrow_server)
    wire.ask(f"/sim {directive}", **KEPT)
    eventually(lambda: upstream.control(f"requests?endpoint={waits_in}")["requests"])
    began = time.monotonic()
    wire.hang_up()
    after = dial(narrow_server)
    assert after.ask("/sim text").head() == 200
    assert time.monotonic() - began < 1
    assert payloads(after.body())[-1] == "[DONE]"


@pytest.mark.parametrize("directive", ["handoff", "text words=40 fault=close after=7"])
def test_a_resumed_stream_may_break_too(
    server: Any, upstream: Any, encoding: str, dial: Any, payloads: Any, directive: str
) -> None:
    upstream.control("next", {"endpoint": "resume", "fault": "reset", "params": {"after": 4}})
    upstream.control("next", {"endpoint": "resume", "fault": "status", "params": {"status": 502}})
    wire = dial(server)
    wire.ask(f"/sim {directive}", **KEPT).head()
    text = upstream.control("expected?scenario=handoff")["text"]
    assert_whole(payloads(wire.body()), text if directive == "handoff" else WORDS)
    assert seen(upstream) == ["conversation", "resume", "resume", "resume"]
