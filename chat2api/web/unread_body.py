"""Ending a connection whose request body was not read, so that the caller still sees the answer.

Left alone, gunicorn would read the rest of the body to find the next request, however much it is;
closing at once would make the kernel throw the answer away. So: stop sending, take in a bounded rest,
close.
"""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from typing import Any

_LONGEST_SECONDS = 2.0
_MOST_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 262_144


def end_connection(sock: Any) -> None:
    """Run after the answer is out. Always raises OSError(EPIPE), which gunicorn takes as a lost caller."""
    with suppress(OSError):  # the caller may have left already
        sock.shutdown(socket.SHUT_WR)
        _take_in(sock)
    raise OSError(errno.EPIPE, "connection ended after an early answer")


def _take_in(sock: Any) -> None:
    until = time.monotonic() + _LONGEST_SECONDS
    taken = 0
    while taken < _MOST_BYTES:
        remaining = until - time.monotonic()
        if remaining <= 0:
            return
        sock.settimeout(remaining)
        data = sock.recv(_PIECE_BYTES)
        if not data:
            return
        taken += len(data)
