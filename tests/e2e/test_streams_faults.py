"""Streams that break, fall silent or fail in the middle (fault matrix B01 to B05, acceptance 5)."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

TURN = "/sim text words=40"
FIRST_WORDS = "word1 word2 word3"


@pytest.fixture
def server(stream_server: Any) -> Any:
    return stream_server


def turns(upstream: Any) -> list[Any]:
    """What the upstream saw of conversation calls."""
    found: list[Any] = upstream.control("requests?endpoint=conversation")["requests"]
    return found


def next_one_works(wire: Any, payloads: Any, streamed_text: Any) -> bool:
    """Whether a turn on the same connection is answered in full."""
    assert wire.ask("/sim text words=5", model="auto").head() == 200
    told = payloads(wire.body())
    return bool(told[-1] == "[DONE]" and streamed_text(told) == "word1 word2 word3 word4 word5")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("reset after=3", "upstream_connection_error"),
        ("cut after=3", "upstream_truncated"),
        ("close after=3", "upstream_truncated"),
        ("midway after=3", "upstream_bad_response"),
        ("midway after=3 form=v1", "upstream_bad_response"),
        ("midway after=3 form=code code=network_error done=0", "upstream_bad_response"),
    ],
)
def test_a_broken_stream_is_told_at_once_and_not_tried_again(
    server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    fault: str,
    code: str,
) -> None:
    wire = dial(server)
    assert wire.ask(f"{TURN} fault={fault}").head() == 200
    body = wire.body()
    ended = time.time()
    told = payloads(body)
    assert b"[DONE]" not in body
    assert streamed_text(told).strip() == FIRST_WORDS
    assert [set(one) for one in told].count({"error"}) == 1
    error = told[-1]["error"]
    assert (error["type"], error["code"]) == ("server_error", code)
    assert all(choice["finish_reason"] is None for one in told[:-1] for choice in one["choices"])
    (turn,) = turns(upstream)
    assert ended - turn["finished_at"] < 1
    assert next_one_works(wire, payloads, streamed_text)


@pytest.mark.parametrize("fault", ["reset", "close", "midway"])
def test_the_sdk_raises(server: Any, upstream: Any, fault: str) -> None:
    messages: list[Any] = [{"role": "user", "content": f"{TURN} fault={fault} after=3"}]
    stream = server.client().chat.completions.create(
        model="gpt-5-5", messages=messages, stream=True
    )
    text = ""
    with pytest.raises(openai.APIError) as raised:  # noqa: PT012 - it is raised in the middle
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text.strip() == FIRST_WORDS
    assert raised.value.code is not None
    assert len(turns(upstream)) == 1


def test_silence_beyond_the_limit(
    narrow_server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    eventually: Any,
) -> None:
    wire = dial(narrow_server)
    wire.ask(f"{TURN} fault=silence after=3 seconds=60").head()
    began = time.monotonic()
    body = wire.body()
    assert 1.0 < time.monotonic() - began < 3.0
    told = payloads(body)
    assert b"[DONE]" not in body
    assert streamed_text(told).strip() == FIRST_WORDS
    assert told[-1]["error"]["code"] == "upstream_timeout"
    assert body.count(b": keep-alive\n\n") >= 2
    assert next_one_works(wire, payloads, streamed_text)  # so its account is free again
    assert eventually(lambda: turns(upstream)[0]["aborted"], seconds=1)


def test_a_dead_upstream(
    own_upstream: Any,
    start_server: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    eventually: Any,
) -> None:
    """Acceptance 5: the process goes away in mid-stream and comes back."""
    # Without accounts: a new simulator would not know the tokens of the old one.
    server = start_server(
        tokens=[], upstream=own_upstream.url, ALLOW_ANONYMOUS="true", RETRY_TIMES="0"
    )
    wire = dial(server)
    assert wire.ask("/sim text words=200 tps=50", model="auto").head() == 200
    wire.until(b"word3")
    own_upstream.kill()
    body = wire.body()
    assert b"[DONE]" not in body
    error = payloads(body)[-1]["error"]
    assert error["type"] == "server_error"
    assert error["code"] in ("upstream_connection_error", "upstream_truncated")
    assert wire.ask(TURN, model="auto").head() == 502
    assert payloads(b"data: " + wire.body())[0]["error"]["code"] == "upstream_connection_error"
    own_upstream.start_again()
    assert next_one_works(wire, payloads, streamed_text)


# --- silence that is none of the caller's business


@pytest.mark.parametrize("where", ["silence seconds=1.3 after=3", "quiet seconds=1.3"])
def test_comments_fill_the_silence(
    narrow_server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any, where: str
) -> None:
    wire = dial(narrow_server)
    began = time.monotonic()
    assert wire.ask(f"{TURN} fault={where}").head() == 200
    assert time.monotonic() - began < 1.0
    assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert wire.headers["cache-control"] == "no-cache, no-transform"
    assert wire.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in wire.headers
    assert wire.headers["x-request-id"].startswith("req_")
    body = wire.body()
    lines = [line for line in body.split(b"\n") if line]
    assert body.count(b": keep-alive\n\n") >= 2
    assert all(line.startswith((b"data: ", b": ")) for line in lines)
    told = payloads(body)
    assert told[-1] == "[DONE]"
    assert streamed_text(told) == " ".join(f"word{n}" for n in range(1, 41))
    assert len(turns(upstream)) == 1


def test_compression_is_not_for_streams(narrow_server: Any, upstream: Any, dial: Any) -> None:
    wire = dial(narrow_server)
    assert wire.ask(TURN, headers="Accept-Encoding: gzip, br, zstd, deflate\r\n").head() == 200
    assert "content-encoding" not in wire.headers
    assert b"data: [DONE]" in wire.body()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("hang seconds=0.8", None),
        ("inband+quiet seconds=0.8", "upstream_bad_response"),
    ],
)
def test_after_the_first_comment_a_failure_is_told_in_the_stream(
    narrow_server: Any, upstream: Any, dial: Any, payloads: Any, fault: str, code: str | None
) -> None:
    """A comment is no answer yet: another try may follow it, but the status stays 200."""
    wire = dial(narrow_server)
    assert wire.ask(f"{TURN} fault={fault}").head() == 200
    body = wire.body()
    assert body.startswith(b": keep-alive\n\n")
    told = payloads(body)
    if code is None:
        assert told[-1] == "[DONE]"
    else:
        assert told[-1]["error"]["code"] == code
        assert b"[DONE]" not in body


def test_another_try_after_a_comment(
    start_server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    """No event of the answer was sent yet, so the next account is as good as at the start."""
    wire = dial(start_server(KEEPALIVE_SECONDS="0.4", RETRY_TIMES="1"))
    assert wire.ask("/sim text words=5 fault=empty+quiet seconds=0.8 times=1").head() == 200
    body = wire.body()
    assert body.startswith(b": keep-alive\n\n")
    assert streamed_text(payloads(body)) == "word1 word2 word3 word4 word5"
    assert body.endswith(b"data: [DONE]\n\n")
    first, second = turns(upstream)
    assert first["account"] != second["account"]
