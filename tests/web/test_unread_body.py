"""Ending a connection with an unread body so that the answer still arrives."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chat2api.web import unread_body
from chat2api.web.unread_body import end_connection

Pair = tuple[socket.socket, socket.socket]
ANSWER = b"HTTP/1.1 413 Content Too Large\r\n\r\n"


def ended(sock: socket.socket) -> int | None:
    """The errno it always raises."""
    with pytest.raises(OSError, match="connection ended after an early answer") as caught:
        end_connection(sock)
    return caught.value.errno


@contextmanager
def sending(sock: socket.socket, size: int) -> Iterator[list[bytes]]:
    """A caller who sends a body and only then reads; what it read is in the list."""
    read: list[bytes] = []

    def send() -> None:
        try:
            sock.sendall(bytes(size))
            while data := sock.recv(65_536):
                read.append(data)
        except OSError as error:
            read.append(repr(error).encode())
        sock.close()

    thread = threading.Thread(target=send)
    thread.start()
    yield read
    thread.join(3)
    assert not thread.is_alive()


def test_a_caller_in_the_middle_of_a_body_reads_the_answer(connected: Pair) -> None:
    ours, theirs = connected
    began = time.monotonic()
    with sending(theirs, 20 * 1024 * 1024) as read:
        ours.recv(100)
        ours.sendall(ANSWER)
        assert ended(ours) == errno.EPIPE
        ours.close()
    assert b"".join(read) == ANSWER
    assert time.monotonic() - began < 1  # it was told at once that no more follows


def test_a_caller_who_has_left_is_no_other_case(connected: Pair) -> None:
    ours, theirs = connected
    theirs.close()
    assert ended(ours) == errno.EPIPE
    ours.close()
    assert ended(ours) == errno.EPIPE


def test_a_caller_who_does_not_leave_is_left(
    connected: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_body, "_LONGEST_SECONDS", 0.1)
    ours, theirs = connected
    began = time.monotonic()
    theirs.sendall(b"more")
    assert ended(ours) == errno.EPIPE
    assert 0.1 <= time.monotonic() - began < 0.4


def test_a_caller_who_never_stops_sending_is_left(
    connected: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread_body, "_MOST_BYTES", 1024 * 1024)
    ours, theirs = connected
    with sending(theirs, 40 * 1024 * 1024) as read:
        assert ended(ours) == errno.EPIPE
        ours.close()
    assert b"Error" in read[-1]  # it was cut off
