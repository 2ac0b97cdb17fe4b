"""The caller's line: whether it is still there, waiting while watching it, and breaking it on purpose."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# First byte of struct tcp_info: the state. Anything but ESTABLISHED means that the caller closed or
# reset. Asking the kernel leaves the bytes of a next request alone.
_ESTABLISHED = 1
SLICE_SECONDS = 0.2


def open_connections(port: int) -> int | None:
    """Established connections to `port` on this machine; None where the kernel does not tell."""
    try:
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    suffix = f":{port:04X}"
    fields = (line.split() for line in lines)
    return sum(1 for field in fields if field[1].endswith(suffix) and field[3] == "01")


class CallerGone(BrokenPipeError):
    """The caller hung up. An OSError of this number ends the connection quietly in the server."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the caller hung up")


class Line:
    """The connection of one request; without a socket (in-process calls) it never breaks."""

    def __init__(self, environ: Mapping[str, Any], slice_seconds: float = SLICE_SECONDS) -> None:
        self._slice_seconds = slice_seconds
        self._socket: socket.socket | None = environ.get("gunicorn.socket")

    def is_gone(self) -> bool:
        if self._socket is None or not hasattr(socket, "TCP_INFO"):
            return False
        try:
            state = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except OSError:
            return True
        return state[0] != _ESTABLISHED

    def wait(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Sleeps, watching the line; raises CallerGone. `stop` ends the wait early."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if stop is not None and stop.is_set():
                return
            time.sleep(min(left, self._slice_seconds))
            if self.is_gone():
                raise CallerGone

    def break_off(self, *, reset: bool) -> ConnectionError:
        """The error to raise so that the server drops the connection: by RST, or by a plain FIN."""
        if not reset:
            return BrokenPipeError(errno.EPIPE, "cut on purpose")
        if self._socket is not None:
            with contextlib.suppress(OSError):
                no_linger = struct.pack("ii", 1, 0)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        return ConnectionResetError(errno.ECONNRESET, "reset on purpose")

    def send_raw(self, text: bytes) -> None:
        """Bytes past the HTTP layer."""
        if self._socket is not None:
            self._socket.sendall(text)
