"""A WebSocket on the connection that gunicorn took a request from.

simple-websocket speaks the protocol. What is added here: frames go out whole, however slowly the other
side takes them; nobody who takes nothing holds a worker up; what comes in is bounded; and the end of the
connection is always seen.
"""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from simple_websocket import ConnectionClosed, Server
from wsproto.events import Ping
from wsproto.utilities import ProtocolError

from chat2api.errors import InternalError, Overloaded, RequestError
from chat2api.lifetime.breath import Breath
from chat2api.lifetime.budget import ByteBudget

GOING_AWAY = 1001
NORMAL = 1000
_TOO_BIG = 1009
_TRY_LATER = 1013

# The protocol works through a piece at once, and it may hold a frame in every seven bytes.
_READ_BYTES = 2_048
_WRITTEN_BYTES = 65_536
_MOST_WAITING = 4  # messages that came and were not looked at yet
_WAIT_SECONDS = 0.05


class WireClosed(Exception):
    """The connection has ended, from whichever side."""


class _Socket:
    """The socket as simple-websocket is to see it: it may send a part of a frame only, and close what is
    not its own. `check` is called before each reading, and raises OSError where it is enough."""

    def __init__(self, sock: Any, clock: Callable[[], float]) -> None:
        self._sock = sock
        self._clock = clock
        self._sending = threading.Lock()
        self._breathe: Callable[[], None] = Breath()
        self.is_closed = False
        self.sending_since = math.inf
        self.is_full: Callable[[], bool] = lambda: False
        self.check: Callable[[], None] = lambda: None

    def send(self, data: bytes) -> int:
        with self._sending:
            try:
                for start in range(0, len(data), _WRITTEN_BYTES):
                    self.sending_since = self._clock()
                    self._sock.sendall(data[start : start + _WRITTEN_BYTES])
            finally:
                self.sending_since = math.inf
        return len(data)

    def recv(self, size: int) -> bytes:
        while self.is_full():
            time.sleep(_WAIT_SECONDS)
        self._breathe()  # there may be more for ever: others have their turn first
        self.check()
        data: bytes = b"" if self.is_closed else self._sock.recv(size)
        return data

    def close(self) -> None:
        """gunicorn closes it; until then everybody can see that it has ended."""
        self.is_closed = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class _Server(Server):  # type: ignore[misc]
    """One that is never taken for alive when its reading thread has died."""

    def _thread(self) -> None:
        try:
            super()._thread()
        except ProtocolError:
            self.sock.close()
        finally:
            self.connected = False
            self.event.set()


class Wire:
    """`stall_seconds`: a peer that takes nothing for so long is dropped (`tick` looks). Any thread may send.

    What came and was not handed on yet counts against `budget`.
    """

    def __init__(
        self,
        environ: Mapping[str, Any],
        *,
        most_bytes: int,
        stall_seconds: float,
        budget: ByteBudget,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Takes the connection over. Raises RequestError for a handshake that is none."""
        sock = environ.get("gunicorn.socket")
        if sock is None:
            raise InternalError("This server cannot speak WebSocket.", status=501)
        self._most_bytes = most_bytes
        self._stall_seconds = stall_seconds
        self._budget = budget
        self._counting = threading.Lock()
        self._held = 0  # of the budget
        self._sock = _Socket(sock, clock)
        # Without compression: a few bytes could become as many as they like.
        wanted = {k: v for k, v in environ.items() if k != "HTTP_SEC_WEBSOCKET_EXTENSIONS"}
        try:
            self._server = _Server(
                {**wanted, "gunicorn.socket": self._sock},
                receive_bytes=_READ_BYTES,
                max_message_size=most_bytes,
                thread_class=partial(threading.Thread, daemon=True),
            )
        except ProtocolError:
            raise RequestError("The WebSocket handshake is not valid.") from None
        except OSError:
            raise WireClosed from None
        self._sock.is_full = self._is_full
        self._sock.check = self._check

    def receive(self, timeout_seconds: float) -> str | bytes | None:
        """The next message; None when there is none in time. Raises WireClosed."""
        try:
            message: str | bytes | None = self._server.receive(timeout_seconds)
        except ConnectionClosed:
            raise WireClosed from None
        with suppress(Overloaded):  # more came meanwhile: whoever reads ends it
            self._count()
        return message

    def send(self, text: str) -> None:
        """Raises WireClosed."""
        try:
            self._server.send(text)
        except (ConnectionClosed, ProtocolError, OSError):
            raise WireClosed from None

    def ping(self) -> None:
        """So that nobody on the way takes a silent connection for a dead one. Raises WireClosed."""
        try:
            self._sock.send(self._server.ws.send(Ping()))
        except (ProtocolError, OSError):
            raise WireClosed from None

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, where the other side still listens."""
        with suppress(ConnectionClosed, ProtocolError, OSError):
            self._server.close(code, reason)

    def drop(self) -> None:
        self._sock.close()
        self._count()

    def tick(self, now: float) -> None:
        if now - self._sock.sending_since > self._stall_seconds:
            self.drop()

    def _check(self) -> None:
        """Raises OSError, once the other side was told, where too much has come."""
        try:
            self._count()
        except Overloaded as error:
            self.close(_TRY_LATER, error.message)
            raise OSError from None
        # simple-websocket counts the characters of a message, but puts its pieces together as bytes.
        if self._coming() > self._most_bytes:
            self.close(_TOO_BIG, "Message is too big")
            raise OSError

    def _coming(self) -> int:
        """How much there is of the message that is not whole yet."""
        return len(self._server.incoming_message or b"")

    def _count(self) -> None:
        """Settles with the budget. Raises Overloaded."""
        with self._counting:
            held = 0
            if not self._sock.is_closed:
                held = self._coming() + sum(map(sys.getsizeof, self._server.input_buffer))
            if held > self._held:
                self._budget.take(held - self._held)
            else:
                self._budget.give_back(self._held - held)
            self._held = held

    def _is_full(self) -> bool:
        return self._server.connected and len(self._server.input_buffer) >= _MOST_WAITING
