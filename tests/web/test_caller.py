"""The caller's end: gone or not, taking what is written or not, in time or not."""

from __future__ import annotations

import io
import logging
import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    RequestError,
    RequestTimeout,
    ShuttingDown,
    UpstreamTimeout,
)
from chat2api.lifetime.call import Call
from chat2api.web.caller import CallerLimits, CallerWatch, SocketPeer, TimedBody

Pair = tuple[socket.socket, socket.socket]


def becomes(claim: Callable[[], bool]) -> bool:
    """Whether it holds soon: loopback takes a moment."""
    deadline = time.monotonic() + 0.5
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.001)
    return claim()


# --- the socket


def test_a_caller_who_waits_is_there(connected: Pair) -> None:
    ours, _ = connected
    assert not SocketPeer(ours).is_gone()


def test_a_caller_who_closed_is_gone(connected: Pair) -> None:
    ours, theirs = connected
    theirs.close()
    assert becomes(SocketPeer(ours).is_gone)


def test_a_caller_who_was_cut_off_is_gone(connected: Pair) -> None:
    ours, theirs = connected
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    assert becomes(SocketPeer(ours).is_gone)


def test_a_caller_who_said_all_counts_as_gone(connected: Pair) -> None:
    ours, theirs = connected
    theirs.shutdown(socket.SHUT_WR)
    assert becomes(SocketPeer(ours).is_gone)


def test_waiting_bytes_neither_matter_nor_are_they_touched(connected: Pair) -> None:
    ours, theirs = connected
    peer = SocketPeer(ours)
    theirs.sendall(b"GET /next HTTP/1.1\r\n\r\n")
    assert ours.recv(99, socket.MSG_PEEK)  # they are here
    assert not any(peer.is_gone() for _ in range(20))
    theirs.close()
    assert becomes(peer.is_gone)
    assert ours.recv(99) == b"GET /next HTTP/1.1\r\n\r\n"


def test_a_socket_of_ours_that_is_closed_is_gone(connected: Pair) -> None:
    ours, _ = connected
    ours.close()
    assert SocketPeer(ours).is_gone()


def test_where_the_kernel_does_not_tell_nobody_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        assert not SocketPeer(ours).is_gone()


def test_dropping_a_caller_wakes_both_ends(connected: Pair) -> None:
    ours, theirs = connected
    SocketPeer(ours).drop()
    assert (ours.recv(1), theirs.recv(1)) == (b"", b"")
    SocketPeer(ours).drop()  # again is no error


def test_a_caller_who_is_no_longer_read_still_gets_his_answer(connected: Pair) -> None:
    ours, theirs = connected
    SocketPeer(ours).stop_reading()
    assert ours.recv(1) == b""
    ours.sendall(b"HTTP/1.1 408 \r\n")
    assert theirs.recv(99) == b"HTTP/1.1 408 \r\n"
    ours.close()
    SocketPeer(ours).stop_reading()  # too late is no error


# --- the watch


class FakePeer:
    def __init__(self) -> None:
        self.gone = False
        self.drops = 0
        self.unread = 0

    def is_gone(self) -> bool:
        return self.gone

    def drop(self) -> None:
        self.drops += 1

    def stop_reading(self) -> None:
        self.unread += 1


class Watched:
    """A watch over one call, with everything around it in reach."""

    def __init__(self, clock: Any) -> None:
        self.call = Call(2000.0)
        self.peer = FakePeer()
        self.clock = clock
        self.cut_at: float | None = None
        self.beats = 0
        limits = CallerLimits(keepalive=15.0, write_stall=30.0)
        self.watch = CallerWatch(self.call, self.peer, limits, lambda: self.cut_at, clock)
        self.watch.beat = self._beat

    def _beat(self) -> None:
        self.beats += 1

    def after(self, seconds: float) -> Chat2ApiError | None:
        """What the call was cancelled with, if it was, by a look so much later."""
        self.clock.now += seconds
        self.watch.tick(self.clock.now)
        return self.call.error

    def told(self, seconds: float) -> tuple[type[Chat2ApiError], str]:
        error = self.after(seconds)
        assert error is not None
        return type(error), error.message


@pytest.fixture
def watched(clock: Any) -> Watched:
    return Watched(clock)


def test_nothing_is_done_while_nothing_is_due(watched: Watched) -> None:
    assert watched.after(14.9) is None
    assert (watched.beats, watched.peer.drops) == (0, 0)


def test_a_caller_who_left_ends_the_call(watched: Watched) -> None:
    watched.peer.gone = True
    assert watched.told(0) == (ClientGone, "The caller hung up.")
    assert watched.peer.drops == 0


def test_the_deadline_ends_the_call(watched: Watched) -> None:
    assert watched.after(1000.0) is None
    assert watched.told(0.1) == (
        UpstreamTimeout,
        "The request took longer than the server allows.",
    )


def test_a_deadline_may_be_moved(watched: Watched) -> None:
    watched.call.deadline += 500
    assert watched.after(1400.0) is None
    assert watched.told(101.0)[0] is UpstreamTimeout


def test_a_draining_server_ends_the_call_when_its_time_has_come(watched: Watched) -> None:
    watched.cut_at = 1025.0
    assert watched.after(25.0) is None
    assert watched.told(0.1) == (ShuttingDown, "The server is shutting down; try again.")
    assert watched.call.error is not None
    assert watched.call.error.retry_after == 5


def test_a_beat_is_due_when_nothing_was_sent_for_a_while(watched: Watched) -> None:
    beats = []
    for seconds in (14.9, 0.2, 14.9, 0.2, 14.9):
        watched.after(seconds)
        beats.append(watched.beats)
    assert beats == [0, 1, 1, 2, 2]
    watched.watch.writing()
    watched.watch.written()
    watched.after(14.9)
    assert watched.beats == 2


def test_no_beat_where_none_is_wanted(watched: Watched) -> None:
    watched.watch.beat = None
    assert watched.after(500.0) is None


def test_a_caller_who_takes_nothing_is_dropped_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    watched.watch.writing()
    assert watched.after(30.0) is None
    with caplog.at_level(logging.INFO):
        assert watched.told(0.1) == (ClientGone, "The caller stopped reading.")
        watched.after(100.0)
    assert watched.peer.drops == 1
    assert caplog.messages == ["caller takes nothing; dropping it"]


def test_a_write_that_is_out_is_no_stall(watched: Watched) -> None:
    for _ in range(3):
        watched.watch.writing()
        watched.after(20.0)
        watched.watch.written()
        assert watched.after(100.0) is None


def test_a_stalled_caller_is_dropped_also_when_the_call_is_over(watched: Watched) -> None:
    """Whoever writes the last word to it would wait for ever."""
    watched.call.cancel(UpstreamTimeout("Too long."))
    watched.watch.writing()
    watched.peer.gone = True  # it has closed its sending half
    watched.after(31.0)
    assert watched.peer.drops == 1


@pytest.mark.parametrize(
    ("stalled", "gone", "late", "cut", "told"),
    [
        (True, True, True, True, "The caller stopped reading."),
        (False, True, True, True, "The caller hung up."),
        (False, False, True, True, "The request took longer than the server allows."),
        (False, False, False, True, "The server is shutting down; try again."),
    ],
)
def test_of_several_reasons_the_nearest_is_told(
    watched: Watched, stalled: bool, gone: bool, late: bool, cut: bool, told: str
) -> None:
    if stalled:
        watched.watch.writing()
    watched.peer.gone = gone
    watched.call.deadline = 1001.0 if late else math.inf
    watched.cut_at = 1001.0 if cut else None
    assert watched.told(31.0)[1] == told
    assert watched.beats == 0


def test_without_a_socket_time_still_counts(clock: Any) -> None:
    call = Call(1010.0)
    watch = CallerWatch(call, None, CallerLimits(15.0, 5.0), lambda: None, clock)
    watch.tick(1009.0)
    assert call.error is None
    watch.writing()
    watch.tick(1006.0)
    assert isinstance(call.error, ClientGone)


# --- the body


def test_a_body_that_comes_is_given(clock: Any) -> None:
    body = TimedBody(io.BytesIO(b"hello"), None, clock=clock)
    assert (body.read(3), body.read(3), body.read(3)) == (b"hel", b"lo", b"")
    body.raise_if_late()


@pytest.mark.parametrize(
    ("pauses", "late"), [([29.9] * 4, False), ([30.1], True), ([29.0] * 5, True)]
)
def test_a_body_has_half_a_minute_for_a_piece_and_two_for_all(
    clock: Any, pauses: list[float], late: bool
) -> None:
    peer = FakePeer()
    body = TimedBody(io.BytesIO(b"x" * 99), peer, clock=clock)
    for pause in pauses:
        clock.now += pause
        body.tick(clock.now)
        body.read(1)
    assert bool(peer.unread) is late
    if late:
        with pytest.raises(RequestTimeout) as caught:
            body.raise_if_late()
        assert (caught.value.status, caught.value.code) == (408, "request_timeout")
    else:
        body.raise_if_late()


class Broken:
    """A body whose reading fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, size: int) -> bytes:
        raise self._error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), ClientGone),
        (ValueError("bad chunk size: secret"), RequestError),
        (EOFError(), RequestError),
    ],
)
def test_a_body_that_breaks(clock: Any, error: Exception, told: type[Chat2ApiError]) -> None:
    with pytest.raises(Chat2ApiError) as caught:
        TimedBody(Broken(error), None, clock=clock).read(1)
    assert type(caught.value) is told
    assert "secret" not in caught.value.message
