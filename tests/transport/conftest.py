"""A server that misbehaves on order, and a transport to meet it with.

The notation, one list a connection, played in order:
  "request"  read one request (headers, and a body by its Content-Length)
  b"…"       send these bytes
  0.1        wait so many seconds
  "hold"     say nothing until the other side closes
  "reset"    close with RST
A script that ends closes its connection; the last one serves every further connection.
"""

from __future__ import annotations

import contextlib
import math
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from chat2api.lifetime.call import Call
from chat2api.lifetime.watchdog import Watchdog, Watched
from chat2api.secret import Secret
from chat2api.transport.http import HttpResponse, HttpTransport
from chat2api.transport.protocol import Outgoing

Step = bytes | float | str
PATIENCE_SECONDS = 5.0


class CrookedServer:
    """`requests` holds what was read, `ports` the client's port of each; `left` is set at a hang-up."""

    def __init__(self, scripts: Sequence[Sequence[Step]]) -> None:
        self.requests: list[bytes] = []
        self.ports: list[int] = []
        self.asked = threading.Event()
        self.left = threading.Event()
        self.left_at = math.inf
        self._scripts = scripts
        self._socks: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/turn"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        for sock in [self._listener, *self._socks]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
        self._listener.close()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                sock, (_, port) = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(number, len(self._scripts) - 1)]
            number += 1
            self._socks.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, port, script), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, port: int, script: Sequence[Step]) -> None:
        sock.settimeout(PATIENCE_SECONDS)
        with sock:
            try:
                for step in script:
                    self._play(sock, port, step)
            except OSError:
                self._note_left()

    def _play(self, sock: socket.socket, port: int, step: Step) -> None:
        match step:
            case bytes():
                sock.sendall(step)
            case float():
                time.sleep(step)
            case "request":
                self.requests.append(_read_request(sock))
                self.ports.append(port)
                self.asked.set()
            case "hold":
                while sock.recv(65_536):
                    pass
                self._note_left()
            case "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
            case _:
                raise AssertionError(f"no such step: {step}")

    def _note_left(self) -> None:
        self.left_at = time.monotonic()
        self.left.set()


def _read_request(sock: socket.socket) -> bytes:
    """Raises ConnectionError when the client leaves instead."""
    taken = b""
    while b"\r\n\r\n" not in taken:
        data = sock.recv(65_536)
        if not data:
            raise ConnectionError
        taken += data
    head, _, body = taken.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0:
        data = sock.recv(65_536)
        taken += data
        missing -= len(data)
    return taken


Serve = Callable[..., CrookedServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(script, script, …)` gives a running server."""
    servers: list[CrookedServer] = []

    def start(*scripts: Sequence[Step]) -> CrookedServer:
        servers.append(CrookedServer(scripts))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class OpenBook(Watchdog):
    """A quick watchdog that shows whom it watches."""

    def __init__(self) -> None:
        super().__init__(0.02)
        self.watched: set[Watched] = set()

    def add(self, entry: Watched) -> None:
        self.watched.add(entry)
        super().add(entry)

    def remove(self, entry: Watched) -> None:
        self.watched.discard(entry)
        super().remove(entry)


@pytest.fixture
def watchdog() -> Iterator[OpenBook]:
    """Each exchange must have left it when the test ends."""
    dog = OpenBook()
    yield dog
    dog.stop()
    assert dog.watched == set()


@pytest.fixture
def transport(serve: Serve, watchdog: OpenBook) -> Iterator[HttpTransport]:
    made = HttpTransport(watchdog, connect_seconds=0.3)
    yield made
    made.close()


@pytest.fixture
def call() -> Call:
    return Call(math.inf)


Ask = Callable[..., HttpResponse]


@pytest.fixture
def ask(transport: HttpTransport, call: Call) -> Ask:
    """`ask(url, …)` opens a request; the options are those of `Outgoing`."""

    def opened(
        url: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        proxy: str | None = None,
        first_byte: float = 3.0,
        idle: float = 3.0,
        repeatable: bool = False,
        call: Call = call,
    ) -> HttpResponse:
        secret = Secret(proxy) if proxy is not None else None
        request = Outgoing(method, url, headers or {}, body, secret, first_byte, idle, repeatable)
        return transport.open(request, call)

    return opened
