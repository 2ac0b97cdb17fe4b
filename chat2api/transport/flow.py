"""One exchange with an upstream while somebody waits on it, and how that wait is ended from outside.

The socket of an exchange is noted while it is in use. Ending it is a `shutdown` of that socket: it wakes
the reader at once, from any thread, where closing the response would be refused ("reentrant call") and
leave the connection open.
"""

from __future__ import annotations

import contextvars
import socket
import time
from contextlib import suppress
from typing import Any

from chat2api.errors import UpstreamTimeout
from chat2api.lifetime.call import Call

_current: contextvars.ContextVar[Flow | None] = contextvars.ContextVar("flow", default=None)


class Flow:
    """What the watchdog sees of an exchange: since when it waits, and how long it may.

    `since` is a `time.monotonic()` reading while waiting, else None; `limit` is in seconds. `ended` says
    that it was ended from outside.
    """

    __slots__ = ("_sock", "call", "ended", "expired", "limit", "since")

    def __init__(self, call: Call, limit_seconds: float) -> None:
        self.call = call
        self.limit = limit_seconds
        self.since: float | None = None
        self.expired = False
        self.ended = False
        self._sock: socket.socket | None = None

    def attach(self, sock: Any) -> None:
        """Note the connection in use. If the exchange was ended meanwhile, end it now."""
        sock.settimeout(None)  # from here on the watchdog bounds all waiting
        self.attach_connecting(sock)

    def attach_connecting(self, sock: Any) -> None:
        """Note a connection that still shakes hands, within the time limit of its own."""
        self._sock = sock
        if self.ended:
            self.end()

    def hurry(self, seconds: float) -> None:
        """Bound each further read on its own: for waits much shorter than the watchdog's."""
        if self._sock is not None:
            self._sock.settimeout(seconds)

    def detach(self) -> None:
        """Forget the connection: it is closed, or back in the pool for somebody else."""
        self._sock = None

    def end(self) -> None:
        """Wake whoever reads; both directions are shut, so the upstream sees us leave."""
        self.ended = True
        sock = self._sock
        if sock is not None:
            with suppress(OSError):  # it may be gone already
                sock.shutdown(socket.SHUT_RDWR)

    def tick(self, now: float) -> None:
        since = self.since
        if since is not None and now - since > self.limit:
            self.expired = True
            self.end()

    def wait_begins(self) -> float:
        """The reading of the clock from which it counts."""
        self.since = now = time.monotonic()
        return now

    def wait_ends(self) -> None:
        self.since = None

    def explain(self, while_doing: str) -> None:
        """Raise why this exchange was ended from outside, if it was."""
        self.call.check()
        if self.expired:
            raise UpstreamTimeout(f"The upstream was silent for {self.limit:g} s {while_doing}.")


def note_connecting(sock: Any) -> None:
    """Called by connections once the TCP connection stands."""
    flow = _current.get()
    if flow is not None and sock is not None:
        flow.attach_connecting(sock)


def note_connection(sock: Any) -> None:
    """Called by connections when they are about to be used."""
    flow = _current.get()
    if flow is not None and sock is not None:
        flow.attach(sock)


class current_flow:
    """Makes `flow` the one that connections used inside the block report to."""

    __slots__ = ("_flow", "_token")

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def __enter__(self) -> None:
        self._token = _current.set(self._flow)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
