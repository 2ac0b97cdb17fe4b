"""Lines that break, end early, fall silent or speak something else: over real connections."""

from __future__ import annotations

import time
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any

import pytest

from chat2api.simulator.faults.lines import at_text
from chat2api.simulator.wire.items import Break, Frame

T, OTHER = Frame("text", tokens=1), Frame("other")
STOP = Break("close")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, [STOP]),
        (1, [OTHER, T, STOP]),
        (2, [OTHER, T, OTHER, T, STOP]),
        (9, [OTHER, T, OTHER, T, OTHER, STOP]),
    ],
)
def test_a_break_comes_right_after_its_text(after: int, expected: list[Any]) -> None:
    items = iter([OTHER, T, OTHER, T, OTHER])
    assert list(at_text(items, after, iter([STOP]))) == expected


def test_an_interruption_is_played_once() -> None:
    items = iter([T, T, T])
    assert list(at_text(items, 2, iter([OTHER]))) == [T, T, OTHER, T]


def stream(live: Any, caller: Any, text: str) -> Any:
    headers = {**caller.headers, **caller.two_step()}
    return live.open("POST", "/backend-api/f/conversation", headers, caller.body(text))


def read_until_broken(connection: Any) -> tuple[bytes, Exception | None]:
    body = b""
    try:
        response = connection.getresponse()
        while part := response.read1():
            body += part
    except (OSError, HTTPException) as error:
        return body, error
    finally:
        connection.close()
    return body, None


@pytest.mark.parametrize(
    ("fault", "error"), [("reset", ConnectionResetError), ("cut", IncompleteRead), ("close", None)]
)
def test_a_line_breaks_after_its_third_text(
    fault: str, error: Any, live: Any, live_caller: Any, read: Any
) -> None:
    text = f"/sim text words=9 fault={fault} after=3 tps=50"
    body, met = read_until_broken(stream(live, live_caller, text))
    assert (type(met) if met else None) == error
    reading = read(body)
    assert (reading.text, reading.done) == ("word1 word2 word3", False)
    record = live.records()[-1]
    assert record["broken"] == fault
    assert not record["aborted"]


def test_a_reset_before_any_header(live: Any, live_caller: Any) -> None:
    _, error = read_until_broken(stream(live, live_caller, "/sim text fault=reset at=headers"))
    assert isinstance(error, ConnectionResetError)


def test_an_end_before_any_header(live: Any, live_caller: Any) -> None:
    _, error = read_until_broken(stream(live, live_caller, "/sim text fault=cut at=headers"))
    assert isinstance(error, RemoteDisconnected)


@pytest.mark.parametrize("fault", ["close at=start", "empty"])
def test_a_stream_without_events(fault: str, live: Any, live_caller: Any) -> None:
    answer = live_caller.talk(f"/sim text fault={fault}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Type"].startswith("text/event-stream")


def test_something_that_is_not_http(live: Any, live_caller: Any) -> None:
    _, error = read_until_broken(stream(live, live_caller, "/sim text fault=not_http"))
    assert isinstance(error, BadStatusLine)


def test_a_promise_of_bytes_that_is_not_kept(live: Any, live_caller: Any) -> None:
    _, error = read_until_broken(stream(live, live_caller, "/sim text fault=short_body"))
    assert error is None or isinstance(error, IncompleteRead)
    assert live.records()[-1]["broken"] == "cut"


def test_silence_before_the_headers(live: Any, live_caller: Any) -> None:
    began = time.monotonic()
    connection = stream(live, live_caller, "/sim text fault=hang seconds=0.5")
    connection.getresponse()
    assert time.monotonic() - began > 0.5
    connection.close()


def test_silence_after_the_headers(live: Any, live_caller: Any) -> None:
    began = time.monotonic()
    connection = stream(live, live_caller, "/sim text fault=quiet seconds=0.5")
    response = connection.getresponse()
    assert time.monotonic() - began < 0.4
    assert response.read1()
    assert time.monotonic() - began > 0.5
    connection.close()


def test_silence_in_the_middle(live: Any, live_caller: Any, read: Any) -> None:
    began = time.monotonic()
    answer = live_caller.talk("/sim text fault=silence after=2 seconds=0.4")
    assert time.monotonic() - began > 0.4
    assert read(answer.body).done


def test_a_dripping_stream(live: Any, live_caller: Any) -> None:
    connection = stream(live, live_caller, "/sim text fault=drip seconds=0.05")
    response = connection.getresponse()
    assert [response.read1() for _ in range(4)] == [b"e", b"v", b"e", b"n"]
    connection.close()


@pytest.mark.parametrize("endpoint", ["prepare", "finalize", "models", "home"])
def test_other_endpoints_break_too(endpoint: str, live: Any, live_caller: Any) -> None:
    live.control("/next", {"endpoint": endpoint, "fault": "reset", "params": {"after": 0}})
    calls = {
        "prepare": live_caller.two_step,
        "finalize": live_caller.two_step,
        "models": lambda: live_caller.call("GET", "/backend-api/models"),
        "home": lambda: live_caller.call("GET", "/"),
    }
    with pytest.raises(ConnectionResetError):
        calls[endpoint]()


def test_a_broken_turn_can_be_resumed_where_it_broke(
    live: Any, live_caller: Any, read: Any
) -> None:
    answer = live_caller.talk("/sim text fault=close after=5")
    first = read(answer.body)
    seen = answer.body.count(b"data: ")
    token = next(iter(first.tokens.values()))
    body = {"conversation_id": first.conversation_id, "offset": seen}
    rest = live_caller.post("/f/conversation/resume", body, {"x-conduit-token": token})
    whole = read(answer.body + rest.body, sent=())
    assert whole.done
    assert whole.text == live.records()[-1]["expected"]["text"]
