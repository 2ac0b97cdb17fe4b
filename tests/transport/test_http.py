"""Exchanges over real sockets with servers that misbehave in every way we know of."""

from __future__ import annotations

import gzip
import math
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    InternalError,
    RequestError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.secret import Secret
from chat2api.transport.http import HttpTransport
from chat2api.transport.protocol import Outgoing

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
UNFRAMED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

Serve = Callable[..., Any]
Ask = Callable[..., Any]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def sized(body: bytes, encoding: str = "") -> bytes:
    more = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    return f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def taking(least: float, most: float) -> Iterator[None]:
    """The block takes about so many seconds."""
    began = time.monotonic()
    yield
    assert least <= time.monotonic() - began < most


@contextmanager
def cancelling(call: Call, seconds: float, error: Chat2ApiError) -> Iterator[None]:
    timer = threading.Timer(seconds, call.cancel, [error])
    timer.start()
    yield
    timer.join()


# --- whole answers


def test_a_request_is_sent_as_it_is(serve: Serve, ask: Ask) -> None:
    server = serve(["request", OK])
    headers = {"X-One": "1", "User-Agent": "me", "Accept-Encoding": "gzip"}
    answer = ask(server.url, method="POST", headers=headers, body=b'{"a":1}')
    assert (answer.status, answer.headers["CONTENT-length"], answer.read(10)) == (200, "2", b"ok")
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert (lines[0], body) == ("POST /turn HTTP/1.1", b'{"a":1}')
    assert sorted(line for line in lines[1:] if not line.startswith("Host")) == [
        "Accept-Encoding: gzip",
        "Content-Length: 7",
        "User-Agent: me",
        "X-One: 1",
    ]


def test_pieces_are_given_as_they_arrive(serve: Serve, ask: Ask) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), 0.05, chunk(b"two"), 0.05, b"0\r\n\r\n"])
    answer = ask(server.url)
    assert list(answer.chunks()) == [b"one", b"two"]


@pytest.mark.parametrize(
    "answer", [CHUNKED + chunk(b"whole") + b"0\r\n\r\n", sized(b"whole"), UNFRAMED + b"whole"]
)
def test_every_framing_has_a_clean_end(serve: Serve, ask: Ask, answer: bytes) -> None:
    assert ask(serve(["request", answer]).url).read(5) == b"whole"


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_no_pieces(serve: Serve, ask: Ask, status: int) -> None:
    server = serve(["request", b"HTTP/1.1 %d Nothing\r\n\r\n" % status, "hold"])
    assert (list(ask(server.url).chunks())) == []


def test_redirects_are_returned_and_not_followed(serve: Serve, ask: Ask) -> None:
    elsewhere = serve(["request", OK])
    moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
    answer = ask(serve(["request", moved.encode()]).url, headers={"Authorization": "Bearer t"})
    assert (answer.status, answer.headers["Location"], answer.read(0)) == (302, elsewhere.url, b"")
    assert elsewhere.requests == []


def test_too_much_is_refused(serve: Serve, ask: Ask) -> None:
    server = serve(["request", sized(b"x" * 11)])
    with pytest.raises(UpstreamBadResponse, match="too large"):
        ask(server.url).read(10)


# --- encodings


TEXT = b"".join(b"line %d\n" % n for n in range(40_000))


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("GZIP", gzip.compress(TEXT, mtime=0)),
        ("deflate", zlib.compress(TEXT)),
    ],
)
def test_compressed_bodies_are_decoded_whole(
    serve: Serve, ask: Ask, encoding: str, data: bytes
) -> None:
    assert ask(serve(["request", sized(data, encoding)]).url).read(len(TEXT)) == TEXT


def test_a_compressed_body_may_arrive_byte_by_byte(serve: Serve, ask: Ask) -> None:
    pieces = [chunk(bytes([byte])) for byte in gzip.compress(b"slowly")]
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    answer = ask(serve(["request", head, *pieces, b"0\r\n\r\n"]).url)
    pieces_out = list(answer.chunks())
    assert b"".join(pieces_out) == b"slowly"
    assert b"" not in pieces_out


def test_a_bomb_is_not_unpacked_beyond_the_limit(serve: Serve, ask: Ask) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024), compresslevel=1)
    answer = ask(serve(["request", sized(bomb, "gzip")]).url)
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamBadResponse, match="too large"):
            answer.read(1024 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["gzip, gzip", ", ".join(["gzip"] * 9), "br", "zstd", "what"])
def test_encodings_we_did_not_ask_for_are_refused(serve: Serve, ask: Ask, encoding: str) -> None:
    answer = ask(serve(["request", sized(b"x", encoding)]).url)
    with pytest.raises(UpstreamBadResponse, match="content encoding"):
        answer.read(10)


def test_two_lines_of_encoding_are_a_stack_too(serve: Serve, ask: Ask) -> None:
    twice = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\ncontent-encoding: gzip\r\n\r\n"
    with pytest.raises(UpstreamBadResponse, match="content encoding"):
        ask(serve(["request", twice]).url).read(10)


def test_broken_compression_is_a_bad_response(serve: Serve, ask: Ask) -> None:
    with pytest.raises(UpstreamBadResponse, match="decompressed"):
        ask(serve(["request", sized(b"not gzip at all", "gzip")]).url).read(99)


# --- broken answers


GARBAGE = [
    b"SSH-2.0-OpenSSH_9\r\n\r\n",
    b"\x00\xff" * 400,
    b"HTTP/1.1 abc\r\n\r\n",
    b"HTTP/9.9 200 OK\r\n\r\n",
]
MANY = b"".join(b"X-%d: 1\r\n" % n for n in range(200))


@pytest.mark.parametrize("answer", GARBAGE)
def test_garbage_is_a_bad_response(serve: Serve, ask: Ask, answer: bytes) -> None:
    with pytest.raises(UpstreamBadResponse, match="not HTTP"):
        ask(serve(["request", answer]).url, repeatable=True)


@pytest.mark.parametrize("headers", [MANY, b"X-Long: " + b"x" * 1024 * 1024 + b"\r\n"])
def test_headers_beyond_all_measure_are_a_bad_response(
    serve: Serve, ask: Ask, headers: bytes
) -> None:
    with pytest.raises(UpstreamBadResponse, match="headers are too large"):
        ask(serve(["request", b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n"]).url)


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([CHUNKED, chunk(b"one")], UpstreamTruncated),
        ([CHUNKED, chunk(b"one"), b"8\r\ncut"], UpstreamTruncated),
        ([CHUNKED, chunk(b"one"), b"no size\r\n"], UpstreamTruncated),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"], UpstreamTruncated),
        ([CHUNKED, chunk(b"one"), 0.05, "reset"], UpstreamConnectionError),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", 0.05, "reset"],
            UpstreamConnectionError,
        ),
        ([UNFRAMED, b"one", 0.05, "reset"], UpstreamConnectionError),
    ],
)
def test_a_body_that_breaks_is_told_after_what_came(
    serve: Serve, ask: Ask, steps: list[Any], error: type[Exception]
) -> None:
    pieces: list[bytes] = []
    with pytest.raises(Chat2ApiError) as caught:
        pieces.extend(ask(serve(["request", *steps]).url).chunks())
    assert (type(caught.value), b"".join(pieces)[:3]) == (error, b"one")


@pytest.mark.parametrize("ending", [["reset"], [], [b"HTTP/1.1 200 OK\r\nX: ", "reset"]])
def test_a_connection_lost_before_the_headers(serve: Serve, ask: Ask, ending: list[Any]) -> None:
    server = serve(["request", *ending])
    with pytest.raises(UpstreamConnectionError, match="stage: response"):
        ask(server.url)
    assert len(server.requests) == 1


# --- time


def test_silence_before_the_headers_times_out(serve: Serve, ask: Ask) -> None:
    server = serve(["request", "hold"])
    with taking(0.1, 0.4), pytest.raises(UpstreamTimeout) as caught:
        ask(server.url, first_byte=0.1)
    assert caught.value.message == "The upstream was silent for 0.1 s before it answered."
    assert server.left.wait(0.3)


def test_silence_in_the_body_times_out(serve: Serve, ask: Ask) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), "hold"])
    answer = ask(server.url, idle=0.1)
    pieces = answer.chunks()
    assert next(pieces) == b"one"
    with taking(0.1, 0.4), pytest.raises(UpstreamTimeout) as caught:
        next(pieces)
    assert caught.value.message == "The upstream was silent for 0.1 s in mid-stream."
    assert server.left.wait(0.3)


def test_dripping_never_counts_as_silence(serve: Serve, ask: Ask) -> None:
    """The whole request's deadline ends such a stream, and at once (A23)."""
    drip: list[Any] = []
    for _ in range(40):
        drip += [chunk(b"."), 0.03]
    server = serve(["request", CHUNKED, *drip])
    call = Call(math.inf)
    with taking(0.3, 0.5), cancelling(call, 0.3, UpstreamTimeout("The deadline.")):
        pieces: list[bytes] = []
        with pytest.raises(UpstreamTimeout, match=r"^The deadline\.$"):
            pieces.extend(ask(server.url, idle=0.1, call=call).chunks())
    assert len(pieces) > 5


def test_a_reader_who_takes_his_time_is_not_the_upstreams_silence(serve: Serve, ask: Ask) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), 0.02, chunk(b"two"), b"0\r\n\r\n"])
    pieces = ask(server.url, idle=0.05).chunks()
    assert next(pieces) == b"one"
    time.sleep(0.15)
    assert list(pieces) == [b"two"]


def test_in_a_hurry_only_what_is_nearly_here_is_read(serve: Serve, ask: Ask) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), "hold"])
    answer = ask(server.url)
    pieces = answer.chunks()
    assert next(pieces) == b"one"
    answer.hurry(0.02)
    with taking(0.0, 0.3), pytest.raises(UpstreamConnectionError):
        next(pieces)
    assert server.left.wait(0.3)


def test_hurry_ends_with_its_exchange(serve: Serve, ask: Ask) -> None:
    end = b"0\r\n\r\n"
    server = serve(["request", CHUNKED, chunk(b"one"), end, "request", 0.1, OK])
    answer = ask(server.url)
    pieces = answer.chunks()
    assert next(pieces) == b"one"
    answer.hurry(0.02)
    assert list(pieces) == []
    answer.hurry(0.02)  # no longer its connection
    assert ask(server.url).read(9) == b"ok"
    assert len(set(server.ports)) == 1


# --- giving up


@pytest.mark.parametrize("steps", [["hold"], [CHUNKED, chunk(b"one"), "hold"], [UNFRAMED, "hold"]])
def test_a_cancelled_call_wakes_the_reader_and_closes_the_upstream(
    serve: Serve, ask: Ask, call: Call, steps: list[Any]
) -> None:
    server = serve(["request", *steps])
    gone = ClientGone("The caller hung up.")
    with taking(0.1, 0.4), cancelling(call, 0.1, gone), pytest.raises(ClientGone) as caught:
        ask(server.url).read(99)
    assert caught.value is gone
    assert server.left.wait(0.3)


def test_nothing_is_asked_for_a_call_that_is_over(serve: Serve, ask: Ask, call: Call) -> None:
    server = serve(["request", OK])
    call.cancel(ClientGone("The caller hung up."))
    with pytest.raises(ClientGone):
        ask(server.url)
    assert server.ports == []


def test_a_call_that_ends_between_headers_and_body(serve: Serve, ask: Ask, call: Call) -> None:
    answer = ask(serve(["request", CHUNKED, chunk(b"one"), "hold"]).url)
    call.cancel(ClientGone("The caller hung up."))
    with pytest.raises(ClientGone):
        answer.read(99)


def test_what_arrived_is_not_given_to_a_call_that_is_over(
    serve: Serve, ask: Ask, call: Call
) -> None:
    """Ending a TLS connection ends its decryption: what comes after is not the body."""
    server = serve(["request", UNFRAMED, b"one", 0.05, b"two", "hold"])
    pieces = ask(server.url).chunks()
    assert next(pieces) == b"one"
    time.sleep(0.1)
    call.cancel(ClientGone("The caller hung up."))
    with pytest.raises(ClientGone):
        next(pieces)


@pytest.mark.parametrize("begun", [False, True])
def test_closing_early_closes_the_connection(serve: Serve, ask: Ask, begun: bool) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), "hold"])
    answer = ask(server.url)
    if begun:
        assert next(answer.chunks()) == b"one"
    answer.close()
    answer.close()
    assert server.left.wait(0.3)


def test_an_abandoned_generator_closes_the_connection(serve: Serve, ask: Ask) -> None:
    server = serve(["request", CHUNKED, chunk(b"one"), "hold"])
    pieces = ask(server.url).chunks()
    assert next(pieces) == b"one"
    pieces.close()
    assert server.left.wait(0.3)


# --- what cannot be sent


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "café ☕"])
def test_header_values_that_cannot_be_sent_are_the_callers_fault(
    serve: Serve, ask: Ask, value: str
) -> None:
    server = serve(["request", OK])
    with pytest.raises(RequestError, match="header value") as caught:
        ask(server.url, headers={"Authorization": f"Bearer {value}"})
    assert repr(value)[1:-1] not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


@pytest.mark.parametrize("url", ["http://a..b/", "http:///x", "ftp://host.test/", "not a url"])
def test_an_address_that_is_none_is_ours_to_mend(ask: Ask, url: str) -> None:
    with pytest.raises(InternalError, match="CHATGPT_BASE_URL"):
        ask(url)


# --- the transport itself


def test_one_pool_for_each_proxy_and_no_more_than_some(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat2api.transport.http._MOST_PROXIES", 2)
    first, second = Secret("http://one.test:1"), Secret("http://two.test:1")
    adapters = [transport._adapter(proxy) for proxy in (None, first, None, second, None)]
    assert adapters[0] is adapters[2] is adapters[4]
    assert len({id(adapter) for adapter in adapters}) == 3
    assert transport._adapter(second) is adapters[3]
    assert transport._adapter(first) is not adapters[1]


def test_closing_the_transport_closes_idle_connections(
    serve: Serve, transport: HttpTransport, call: Call
) -> None:
    server = serve(["request", OK, "hold"])
    assert transport.open(Outgoing("GET", server.url, {}), call).read(9) == b"ok"
    transport.close()
    assert server.left.wait(0.3)
