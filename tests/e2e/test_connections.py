"""One connection, several requests, in every order of bytes (decisions 27 and 28)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

WORDS = " ".join(f"word{n}" for n in range(1, 41))


@pytest.fixture
def server(stream_server: Any) -> Any:
    return stream_server


def content(wire: Any, payloads: Any, streamed_text: Any) -> str:
    """The text of the answer that comes next, streamed or not; it must be whole."""
    assert wire.head() == 200
    body = wire.body()
    if "stream" in wire.headers.get("content-type", "") or body.startswith((b"data", b":")):
        told = payloads(body)
        assert told[-1] == "[DONE]"
        return str(streamed_text(told))
    return str(json.loads(body)["choices"][0]["message"]["content"])


@pytest.mark.parametrize("stream", [True, False])
def test_a_connection_is_used_again(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any, stream: bool
) -> None:
    wire = dial(server)
    for number in range(1, 6):
        wire.ask(f"/sim text words={number}", stream=stream)
        wanted = " ".join(f"word{n}" for n in range(1, number + 1))
        assert content(wire, payloads, streamed_text) == wanted
    wire.ask("/sim text words=1", stream=stream, headers="Connection: close\r\n")
    assert content(wire, payloads, streamed_text) == "word1"
    assert wire.is_closed()


def test_upstream_connections_are_used_again(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text words=1")
    assert content(wire, payloads, streamed_text) == "word1"
    before = upstream.control("stats")["connections"]
    for _ in range(10):
        wire.ask("/sim text words=1")
        assert content(wire, payloads, streamed_text) == "word1"
    assert upstream.control("stats")["connections"] == before


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("/sim text words=40 fault=reset after=3", 200),
        ("/sim text words=40 fault=midway after=3", 200),
        ("/sim text fault=status status=400", 400),
        ("/sim text fault=policy", 400),
        ("/sim text fault=model slug=gpt-5-5", 404),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_and_after_a_failed_turn(
    server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    text: str,
    status: int,
    stream: bool,
) -> None:
    wire = dial(server)
    told = wire.ask(text, stream=stream).head()
    assert told == status or (told >= 400 and not stream)
    assert b'"error"' in wire.body()
    wire.ask("/sim text words=1", stream=stream)
    assert content(wire, payloads, streamed_text) == "word1"


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/v1/chat/completions", "", b"{}", 401),
        ("/v1/chat/completions", "Authorization: Bearer sk-wrong\r\n", b'{"a":1}', 401),
        ("/v1/chat/completions", "KEY", b"{", 400),
        ("/v1/chat/completions", "KEY", b"[1]", 400),
        ("/v1/nowhere", "KEY", b"{}", 404),
        ("/v1/models", "KEY", b"{}", 405),
    ],
)
def test_and_after_an_early_refusal(
    narrow_server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    path: str,
    headers: str,
    body: bytes,
    status: int,
) -> None:
    wire = dial(narrow_server)
    if headers == "KEY":
        headers = "Authorization: Bearer sk-test-key-of-the-suite\r\n"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    wire.send(head.encode() + body)
    assert wire.head() == status
    assert "error" in json.loads(wire.body())
    wire.ask("/sim text words=1")
    assert content(wire, payloads, streamed_text) == "word1"


# --- bodies that take their time


@pytest.mark.parametrize("stream", [True, False])
def test_a_body_that_comes_late_and_in_pieces(
    server: Any,
    upstream: Any,
    dial: Any,
    asking: Any,
    payloads: Any,
    streamed_text: Any,
    stream: bool,
) -> None:
    body = json.dumps(asking("/sim text words=40", stream=stream)).encode()
    wire = dial(server)
    for _ in range(2):
        wire.send(wire.post_head(len(body)))
        time.sleep(0.5)
        for start in range(0, len(body), 30):
            wire.send(body[start : start + 30])
            time.sleep(0.02)
        assert content(wire, payloads, streamed_text) == WORDS


def test_a_chunked_body_in_pieces(
    server: Any, upstream: Any, dial: Any, asking: Any, payloads: Any, streamed_text: Any
) -> None:
    body = json.dumps(asking("/sim text words=40")).encode()
    wire = dial(server)
    wire.send(wire.post_head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"))
    for start in range(0, len(body), 40):
        piece = body[start : start + 40]
        wire.send(f"{len(piece):x}\r\n".encode() + piece)
        time.sleep(0.02)
        wire.send(b"\r\n")
    wire.send(b"0\r\n\r\n")
    assert content(wire, payloads, streamed_text) == WORDS
    wire.ask("/sim text words=1")
    assert content(wire, payloads, streamed_text) == "word1"


def test_a_body_that_never_comes_whole(
    server: Any, upstream: Any, dial: Any, asking: Any, eventually: Any
) -> None:
    """The caller leaves in the middle of it: nothing is asked upstream."""
    body = json.dumps(asking("/sim text words=40")).encode()
    logged = server.log.count("path=/v1/chat/completions")
    wire = dial(server)
    wire.send(wire.post_head(len(body)) + body[:40])
    time.sleep(0.1)
    wire.hang_up()
    eventually(lambda: server.log.count("path=/v1/chat/completions") == logged + 1)
    assert upstream.control("requests?endpoint=conversation")["requests"] == []
    assert "Traceback" not in server.log


# --- one request behind another


@pytest.mark.parametrize("streams", [(True, True), (True, False), (False, True)])
def test_pipelined_requests_are_answered_in_order(
    server: Any,
    upstream: Any,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    streams: tuple[bool, bool],
) -> None:
    wire = dial(server)
    for stream, words in zip(streams, (40, 2), strict=True):
        wire.ask(f"/sim text words={words} tps=200", stream=stream)
    assert content(wire, payloads, streamed_text) == WORDS
    assert content(wire, payloads, streamed_text) == "word1 word2"
    records = upstream.control("requests?endpoint=conversation")["requests"]
    assert [one["completed"] for one in records] == [True, True]
    assert records[0]["finished_at"] <= records[1]["started_at"]


def test_a_request_that_comes_while_a_stream_runs(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    """Bytes of a next request are not the end of the first, wherever the stream stands."""
    wire = dial(server)
    wire.ask("/sim text words=40 fault=silence after=3 seconds=0.6").head()
    begun = wire.until(b"word3")
    wire.ask("/sim text words=2")
    told = payloads(begun + wire.body())
    assert (streamed_text(told), told[-1]) == (WORDS, "[DONE]")
    assert content(wire, payloads, streamed_text) == "word1 word2"


# --- the two halves of a connection


def test_a_half_closed_connection_ends_and_no_other(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any, eventually: Any
) -> None:
    """A caller that shuts its sending side counts as gone; its neighbours notice nothing."""
    other, half = dial(server), dial(server)
    other.ask("/sim text words=40 tps=40").head()
    begun = other.until(b"word1")
    half.ask("/sim text words=4000 tps=40").head()
    half.until(b"word3")
    half.hang_up("half")
    told = payloads(begun + other.body())
    assert (streamed_text(told), told[-1]) == (WORDS, "[DONE]")

    def aborted() -> list[bool]:
        records = upstream.control("requests?endpoint=conversation")["requests"]
        return [one["aborted"] for one in records]

    eventually(lambda: aborted() == [False, True], seconds=1)
    assert b"[DONE]" not in half.body()
    assert half.is_closed()


@pytest.mark.parametrize("stream", [True, False])
def test_100_continue(
    server: Any,
    upstream: Any,
    dial: Any,
    asking: Any,
    payloads: Any,
    streamed_text: Any,
    stream: bool,
) -> None:
    body = json.dumps(asking("/sim text words=40", stream=stream)).encode()
    wire = dial(server)
    wire.send(wire.post_head(len(body), "Expect: 100-continue\r\n"))
    assert wire.head() == 100
    wire.send(body)
    assert content(wire, payloads, streamed_text) == WORDS
    wire.ask("/sim text words=1", stream=stream)
    assert content(wire, payloads, streamed_text) == "word1"


def test_who_is_refused_is_told_before_the_body_comes(narrow_server: Any, dial: Any) -> None:
    wire = dial(narrow_server)
    head = wire.post_head(1000, "Expect: 100-continue\r\n")
    wire.send(head.replace(b"sk-test-key-of-the-suite", b"sk-wrong"))
    assert wire.head() == 100
    assert wire.head() == 401
    assert json.loads(wire.body())["error"]["code"] == "invalid_api_key"
