"""Real connections, clocks that stand still, and calls."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator

import pytest

from chat2api.lifetime.call import Call

Pair = tuple[socket.socket, socket.socket]


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call() -> Call:
    return Call(math.inf)


@pytest.fixture
def connected() -> Iterator[Pair]:
    """A TCP connection over loopback: the server's end, and the caller's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=3)
        ours, _ = listener.accept()
    ours.settimeout(3)
    with ours, theirs:
        yield ours, theirs
