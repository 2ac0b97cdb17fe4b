"""Watching the caller's line, and breaking it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chat2api.simulator.connection import CallerGone, Line, open_connections


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(the simulator's end, the caller's end)"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname(), timeout=5)
        ours, _ = server.accept()
        with ours, theirs:
            yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


def test_a_line_is_gone_once_the_caller_closed(pair: Pair) -> None:
    ours, theirs = pair
    line = Line({"gunicorn.socket": ours}, slice_seconds=0.01)
    line.wait(0.02)
    assert not line.is_gone()
    theirs.close()
    with pytest.raises(CallerGone):
        line.wait(5)


def test_waiting_bytes_are_left_alone(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"next request")
    Line({"gunicorn.socket": ours}, slice_seconds=0.01).wait(0.03)
    assert ours.recv(100) == b"next request"


def test_a_wait_ends_early_when_stopped(pair: Pair) -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    Line({"gunicorn.socket": pair[0]}).wait(5, stop)
    assert time.monotonic() - began < 1


def test_a_reset_reaches_the_caller_as_one(pair: Pair) -> None:
    ours, theirs = pair
    error = Line({"gunicorn.socket": ours}).break_off(reset=True)
    assert isinstance(error, ConnectionResetError)
    ours.close()
    with pytest.raises(ConnectionResetError):
        theirs.recv(1)


def test_a_cut_reaches_the_caller_as_an_end(pair: Pair) -> None:
    ours, theirs = pair
    assert isinstance(Line({"gunicorn.socket": ours}).break_off(reset=False), BrokenPipeError)
    ours.close()
    assert theirs.recv(1) == b""


def test_without_a_socket_nobody_is_ever_gone() -> None:
    line = Line({})
    line.wait(0)
    line.send_raw(b"into the void")
    assert not line.is_gone()


def test_open_connections_are_counted(pair: Pair) -> None:
    port = pair[0].getsockname()[1]
    assert open_connections(port) == 1
    assert open_connections(1) == 0


# --- over the whole server


def _begin(live: Any, caller: Any, text: str, **fields: Any) -> Any:
    headers = {**caller.headers, **caller.two_step()}
    return live.open("POST", "/backend-api/f/conversation", headers, caller.body(text, **fields))


def _aborted(live: Any, timeout: float) -> dict[str, Any]:
    deadline = time.time() + timeout
    while time.time() < deadline:
        record: dict[str, Any] = live.records()[-1]
        if record["finished_at"]:
            return record
        time.sleep(0.02)
    raise AssertionError("the abort was not noticed")


@pytest.mark.parametrize(
    "words",
    [
        "fault=quiet seconds=30",
        "fault=silence after=2 seconds=30",
        "fault=hang seconds=30",
        "tps=5",
    ],
)
def test_a_caller_that_leaves_is_noticed_at_once(words: str, live: Any, live_caller: Any) -> None:
    connection = _begin(live, live_caller, f"/sim text {words}")
    if "hang" not in words:
        assert connection.getresponse().status == 200
    time.sleep(0.1)
    left = time.time()
    connection.close()
    record = _aborted(live, 2)
    assert record["aborted"]
    assert not record["completed"]
    assert record["aborted_at"] - left < 0.4
    assert live.control("/stats")["active"] == 0


def test_a_finished_stream_is_not_an_abort(live: Any, live_caller: Any) -> None:
    connection = _begin(live, live_caller, "/sim text")
    connection.getresponse().read()
    record = _aborted(live, 2)
    assert record["completed"]
    assert not record["aborted"]
    connection.close()


def test_a_connection_serves_again_after_a_stream(live: Any, live_caller: Any) -> None:
    connection = _begin(live, live_caller, "/sim text tps=200")
    first = connection.getresponse()
    body = first.read()
    assert body.endswith(b"data: [DONE]\n\n")
    connection.request("GET", "/_sim/health")
    assert connection.getresponse().read() == b'{"status":"ok"}\n'
    connection.close()
