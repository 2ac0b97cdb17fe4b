"""Streams that are whole but awkward: chunk borders, spellings, sizes, nonsense (B10 to B19, B22, B23)."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import psutil
import pytest

MIB = 1024 * 1024


@pytest.fixture
def server(stream_server: Any) -> Any:
    return stream_server


@pytest.fixture(params=["v1", "snapshot"])
def encoding(request: pytest.FixtureRequest, upstream: Any) -> str:
    upstream.control("config", {"encoding": request.param})
    return str(request.param)


def expected(upstream: Any, scenario: str, **params: Any) -> str:
    query = "".join(f"&{name}={value}" for name, value in params.items())
    return str(upstream.control(f"expected?scenario={scenario}{query}")["text"])


def finish_reasons(told: list[Any]) -> list[str]:
    chunks = [one for one in told if isinstance(one, dict)]
    reasons = [choice["finish_reason"] for one in chunks for choice in one["choices"]]
    return [reason for reason in reasons if reason is not None]


def worker_of(server: Any) -> psutil.Process:
    """The process that answers: its parent is the one we started, and it is no compute child."""
    return psutil.Process(server.process.child.pid).children()[0]


# --- borders and spellings


@pytest.mark.parametrize(
    "fault",
    [
        "bytes",
        "chunks size=2",
        "chunks size=3",
        "chunks size=5",
        "split",
        "joined",
        "crlf",
        "cr",
        "mixed",
        "padded",
        "tight",
        "nameless",
        "gzip",
        "mixed+bytes",
        "crlf+split",
        "cr+padded+chunks size=4",
    ],
)
def test_the_same_text_however_it_is_cut_and_spelled(
    server: Any,
    upstream: Any,
    encoding: str,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    fault: str,
) -> None:
    """One code point per event; joined emoji, line separators, controls (B10 to B13)."""
    wire = dial(server)
    assert wire.ask(f"/sim unicode fault={fault}").head() == 200
    told = payloads(wire.body())
    assert told[-1] == "[DONE]"
    assert streamed_text(told) == expected(upstream, "unicode")
    assert finish_reasons(told) == ["stop"]


def test_every_event_stays_one_line(server: Any, upstream: Any, dial: Any) -> None:
    """Clients that split lines as Unicode does see the same events."""
    wire = dial(server)
    wire.ask("/sim unicode").head()
    body = wire.body().decode()
    frames = [line for line in body.split("\n") if line]
    assert [line.startswith("data: ") for line in frames] == [True] * len(frames)
    assert "\r" not in body
    assert "\x00" not in body


# --- sizes


def test_one_event_of_20_mib(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    worker = worker_of(server)
    before = worker.memory_info().rss
    peaks: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peaks.append(worker.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wire = dial(server)
    assert wire.ask("/sim blob mib=20").head() == 200
    body = wire.body()
    done.set()
    watcher.join()
    told = payloads(body)
    text = streamed_text(told)
    assert (len(text), text.strip("QUJD")) == (20 * MIB, "")
    assert told[-1] == "[DONE]"
    growth = max(peaks) - before
    assert growth < 5 * 20 * MIB, f"{growth / MIB:.0f} MiB"


def test_one_unknown_event_of_20_mib(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    assert wire.ask("/sim text fault=big mib=20 after=3").head() == 200
    told = payloads(wire.body())
    assert (streamed_text(told), told[-1]) == (expected(upstream, "text"), "[DONE]")


def test_an_event_beyond_the_limit(
    narrow_server: Any, upstream: Any, dial: Any, payloads: Any, eventually: Any
) -> None:
    worker = worker_of(narrow_server)
    before = worker.memory_info().rss
    wire = dial(narrow_server)
    wire.ask("/sim text words=40 fault=big mib=200 after=30").head()
    body = wire.body()
    assert b"[DONE]" not in body
    error = payloads(body)[-1]["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_bad_response")

    def turn() -> Any:
        return upstream.control("requests?endpoint=conversation")["requests"][0]

    assert eventually(lambda: turn()["aborted"], seconds=2)
    assert turn()["bytes_sent"] < 20 * MIB
    assert worker.memory_info().rss - before < 32 * MIB


def test_an_event_beyond_the_limit_before_any_text(
    narrow_server: Any, upstream: Any, dial: Any
) -> None:
    wire = dial(narrow_server)
    assert wire.ask("/sim blob mib=2").head() == 502
    assert json.loads(wire.body())["error"]["code"] == "upstream_bad_response"


# --- nonsense


@pytest.mark.parametrize(
    "fault",
    [
        "malformed count=8",
        "malformed count=19 after=2",
        "strange",
        "strange after=4",
        "scrambled",
        "strange+scrambled",
        "malformed+crlf+split",
    ],
)
def test_nonsense_is_skipped(
    server: Any,
    upstream: Any,
    encoding: str,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    fault: str,
) -> None:
    wire = dial(server)
    assert wire.ask(f"/sim text words=30 fault={fault}").head() == 200
    told = payloads(wire.body())
    assert (streamed_text(told), told[-1]) == (expected(upstream, "text", words=30), "[DONE]")


def test_endless_nonsense_is_an_error(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    assert wire.ask("/sim text words=30 fault=malformed endless=1 after=3").head() == 200
    body = wire.body()
    told = payloads(body)
    assert b"[DONE]" not in body
    assert streamed_text(told).split() == ["word1", "word2", "word3"]
    assert told[-1]["error"]["code"] == "upstream_bad_response"
    assert "Traceback" not in server.log


# --- ends


@pytest.mark.parametrize(
    "fault",
    [
        "double_end",
        "after_end",
        "double_end+after_end",
        "end drop=done",
        "end drop=done typed=1",
        "end drop=complete",
        "end drop=done,complete",
        "end drop=done,complete,last_token",
        "end drop=complete,last_token,status",
        "end drop=done,last_token,status",
    ],
)
def test_ends_of_every_kind_are_one_end(
    server: Any,
    upstream: Any,
    encoding: str,
    dial: Any,
    payloads: Any,
    streamed_text: Any,
    fault: str,
) -> None:
    wire = dial(server)
    assert wire.ask(f"/sim text fault={fault}").head() == 200
    told = payloads(wire.body())
    assert streamed_text(told) == expected(upstream, "text")
    assert finish_reasons(told) == ["stop"]
    assert [one for one in told if one == "[DONE]"] == ["[DONE]"]
    assert told[-1] == "[DONE]"


def test_no_sign_of_an_end_at_all_is_no_end(
    server: Any, upstream: Any, encoding: str, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text fault=end drop=done,complete,last_token,status").head()
    body = wire.body()
    told = payloads(body)
    assert b"[DONE]" not in body
    assert streamed_text(told) == expected(upstream, "text")
    assert finish_reasons(told[:-1]) == []
    assert told[-1]["error"]["code"] == "upstream_truncated"


# --- a flood


def test_a_flood_starves_nobody(
    server: Any, upstream: Any, dial: Any, payloads: Any, streamed_text: Any
) -> None:
    """100 000 events as fast as they go, while others ask (B18)."""
    wire, other = dial(server), dial(server)
    assert other.get("/ping") == 200
    wire.ask("/sim flood deltas=100000").head()
    parts: list[bytes] = []
    reader = threading.Thread(target=lambda: parts.append(wire.body()))
    reader.start()
    waits = []
    while reader.is_alive():
        began = time.monotonic()
        assert other.get("/ping") == 200
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    reader.join()
    told = payloads(parts[0])
    assert streamed_text(told) == expected(upstream, "flood", deltas=100_000)
    assert told[-1] == "[DONE]"
    waits.sort()
    assert len(waits) > 10
    assert waits[len(waits) // 2] < 0.1
    assert waits[-1] < 0.5


# --- what the client asked for


@pytest.mark.parametrize("scenario", ["text", "reasoning"])
def test_usage_comes_last_and_only_when_asked_for(
    server: Any, upstream: Any, dial: Any, payloads: Any, scenario: str
) -> None:
    wire = dial(server)
    wire.ask(f"/sim {scenario}", stream_options={"include_usage": True}).head()
    *chunks, last, done = payloads(wire.body())
    assert done == "[DONE]"
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > 5
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert len({chunk["id"] for chunk in (*chunks, last)}) == 1

    wire.ask(f"/sim {scenario}").head()
    *chunks, done = payloads(wire.body())
    assert done == "[DONE]"
    assert all(chunk["choices"] and "usage" not in chunk for chunk in chunks)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "*/*", "image/png"])
def test_the_accept_header_changes_nothing(
    server: Any, upstream: Any, dial: Any, accept: str
) -> None:
    wire = dial(server)
    assert wire.ask("/sim text", headers=f"Accept: {accept}\r\n").head() == 200
    assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert wire.body().endswith(b"data: [DONE]\n\n")
    assert wire.ask("/sim text", headers=f"Accept: {accept}\r\n", stream=False).head() == 200
    assert wire.headers["content-type"] == "application/json"
    assert json.loads(wire.body())["object"] == "chat.completion"


@pytest.mark.parametrize("stream", [True, False])
def test_http_1_0_gets_a_body_that_ends_with_the_connection(
    server: Any, upstream: Any, dial: Any, asking: Any, stream: bool
) -> None:
    wire = dial(server)
    wire.post(json.dumps(asking("/sim text", stream=stream)).encode(), version="1.0")
    assert wire.head() == 200
    assert "transfer-encoding" not in wire.headers
    assert wire.headers["connection"] == "close"
    body = wire.body()
    assert wire.is_closed()
    if stream:
        assert "content-length" not in wire.headers
        assert body.startswith(b"data: {")
        assert body.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(body)["choices"][0]["message"]["content"] == expected(upstream, "text")
