"""The caller's end of a request: is it still there, does it take what we write, is its time up."""

from __future__ import annotations

import logging
import math
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from chat2api.errors import ClientGone, RequestError, RequestTimeout, ShuttingDown, UpstreamTimeout
from chat2api.lifetime.call import Call

log = logging.getLogger(__name__)

_ESTABLISHED = 1  # the kernel's TCP state, first byte of TCP_INFO on Linux


class Peer(Protocol):
    def is_gone(self) -> bool: ...

    def drop(self) -> None: ...

    def stop_reading(self) -> None: ...


class SocketPeer:
    """A caller's socket, looked at without reading from it.

    Reading, even peeking, from the socket that gunicorn will parse the next request from breaks late
    bodies and keep-alive; the kernel's TCP state tells the same and disturbs nobody. A caller that closed
    only its sending half counts as gone: from here the two cannot be told apart.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        # Only Linux shows the state this way, and only for TCP; elsewhere failing writes must tell.
        self._knows = sys.platform == "linux" and sock.family in (socket.AF_INET, socket.AF_INET6)

    def is_gone(self) -> bool:
        if not self._knows:
            return False
        try:
            state = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except OSError:
            return True
        return bool(state[0] != _ESTABLISHED)

    def stop_reading(self) -> None:
        """Whoever reads a body from the caller finds its end."""
        with suppress(OSError):  # it may be gone already
            self._sock.shutdown(socket.SHUT_RD)

    def drop(self) -> None:
        with suppress(OSError):  # it may be gone already
            self._sock.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class CallerLimits:
    """Seconds."""

    keepalive: float
    write_stall: float


class CallerWatch:
    """What the watchdog looks at for one request, from its start to its last byte.

    `beat` is called when nothing was sent for the keep-alive interval (streams only). `cut_at` tells
    when a draining server ends what still runs.
    """

    def __init__(
        self,
        call: Call,
        peer: Peer | None,
        limits: CallerLimits,
        cut_at: Callable[[], float | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call = call
        self._peer = peer
        self._limits = limits
        self._cut_at = cut_at
        self._clock = clock
        self._last_sent = clock()
        self._writing_since = math.inf
        self.beat: Callable[[], None] | None = None

    def writing(self) -> None:
        """A piece is handed to the server for sending."""
        self._last_sent = self._writing_since = self._clock()

    def written(self) -> None:
        """The server came back for more: the piece is out."""
        self._writing_since = math.inf

    def tick(self, now: float) -> None:
        if now - self._writing_since > self._limits.write_stall:
            log.info("caller takes nothing; dropping it")
            self._writing_since = math.inf
            self._call.cancel(ClientGone("The caller stopped reading."))
            if self._peer is not None:
                self._peer.drop()
        elif self._peer is not None and self._peer.is_gone():
            self._call.cancel(ClientGone("The caller hung up."))
        elif now > self._call.deadline:
            self._call.cancel(UpstreamTimeout("The request took longer than the server allows."))
        elif (cut_at := self._cut_at()) is not None and now > cut_at:
            self._call.cancel(
                ShuttingDown("The server is shutting down; try again.", retry_after=5)
            )
        elif self.beat is not None and now - self._last_sent >= self._limits.keepalive:
            self._last_sent = now
            self.beat()


class TimedBody:
    """A request body that must arrive in time: `stall` seconds without a byte, `total` in all."""

    def __init__(
        self,
        stream: Any,
        peer: Peer | None,
        *,
        stall: float = 30.0,
        total: float = 120.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._peer = peer
        self._stall = stall
        self._clock = clock
        self._last = clock()
        self._end = self._last + total
        self._late = False

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read(size)
        except OSError:
            raise ClientGone("The caller hung up.") from None
        except Exception as error:  # noqa: BLE001 - each server has its own kinds for broken framing
            log.info("request body: %s", type(error).__name__)
            raise RequestError("The framing of the request body is broken.") from None
        self._last = self._clock()
        return data

    def tick(self, now: float) -> None:
        if now - self._last > self._stall or now > self._end:
            self._late = True
            if self._peer is not None:
                self._peer.stop_reading()

    def raise_if_late(self) -> None:
        if self._late:
            raise RequestTimeout("The request body did not arrive in time.")
