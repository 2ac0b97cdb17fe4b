"""One worker process: gunicorn's gevent worker with our refusals, a quick drain and no server header.

This and the entry files are the only places that name gevent.
"""

from __future__ import annotations

import gc
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Protocol

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http import wsgi
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from chat2api.errors import ErrorInfo
from chat2api.logs import bind_request_id, log_uncaught_errors
from chat2api.serve.parser_errors import METHOD_NOT_ALLOWED, REFUSED_METHODS, draw, refusal

log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 1.0
_DRAIN_LOOK_SECONDS = 0.25
# Requests already on their way on an idle connection are still read (and refused by the application)
# for this long; then idle connections are closed, so that they do not hold up the exit.
_IDLE_GRACE_SECONDS = 1.0
# The arbiter kills at graceful_timeout; what still runs this long before is ended by us, with its
# `finally` blocks.
_LAST_RESORT_SECONDS = 3.0
_CLOSE_SECONDS = 2.0
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 1 << 20


class Lifecycle(Protocol):
    def begin_drain(self) -> None:
        """No new work from now on; running streams get their time and then an error event."""


class Drainable(Protocol):
    """What the application keeps in `extensions["chat2api"]`, as far as the worker needs it."""

    @property
    def lifecycle(self) -> Lifecycle: ...

    @property
    def close(self) -> Callable[[], None]:
        """Ends threads, processes and connections, after the last request."""


class PlainResponse(wsgi.Response):  # type: ignore[misc]
    """gunicorn's response without the header that tells which software answers, and a little quicker.

    The application may say `Connection: close`; gunicorn by itself drops that header.
    """

    def process_headers(self, headers: list[tuple[str, str]]) -> None:
        super().process_headers(headers)
        if any(name.lower() == "connection" and value == "close" for name, value in headers):
            self.force_close()

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]

    def _emit_body(self, data: bytes) -> None:
        # gevent's sendall asks the kernel for its buffer size each time; a stream's small pieces
        # nearly always go out whole with one plain send.
        frame = b"%X\r\n%b\r\n" % (len(data), data) if self.chunked else data
        sent = self.sock.send(frame)
        if sent < len(frame):
            self.sock.sendall(memoryview(frame)[sent:])


class Worker(GeventWorker):  # type: ignore[misc]
    """See the module. `self.alive` turns False on SIGTERM."""

    def init_signals(self) -> None:
        # Here and not in __init__: that one runs before the fork and before patching.
        self._stopping = Event()
        self._hurried = False
        self._waiting: dict[gevent.Greenlet[..., Any], gevent.Timeout] = {}
        wsgi.Response = PlainResponse
        gevent.get_hub().print_exception = _log_greenlet_death
        log_uncaught_errors()
        super().init_signals()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # What start-up made lives as long as the process: keep the collector from walking it again.
        gc.collect()
        gc.freeze()

    # --- the life of the process

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM: finish what runs, then leave."""
        self.alive = False
        # A signal handler may run between any two instructions; the loop wakes the main greenlet.
        gevent.get_hub().loop.run_callback_threadsafe(self._stopping.set)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT, SIGQUIT: leave now. Ctrl-C comes as both, from the terminal and from the arbiter."""
        self._hurried = True
        self.handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until told to stop; then drain. As gunicorn's, but it wakes at once."""
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._stopping.wait(_HEARTBEAT_SECONDS)
        runtime: Drainable | None = getattr(self.wsgi, "extensions", {}).get("chat2api")
        if runtime is not None:
            runtime.lifecycle.begin_drain()
        for server in servers:
            server.close()
        self._drain(servers)
        if runtime is not None:
            with gevent.Timeout(_CLOSE_SECONDS, False):
                runtime.close()

    def _serve(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        server = StreamServer(
            listener,
            handle=partial(self.handle, listener),
            spawn=Pool(self.worker_connections),
            **tls,
        )
        if self.cfg.workers > 1:
            server.max_accept = 1  # leave the others their share
        server.start()
        return server

    def _drain(self, servers: list[StreamServer]) -> None:
        began = time.monotonic()
        last = began + self.cfg.graceful_timeout - _LAST_RESORT_SECONDS
        while any(len(server.pool) for server in servers):
            self.notify()
            now = time.monotonic()
            if now >= last or self._hurried:
                running = sum(len(server.pool) for server in servers) - len(self._waiting)
                if running:
                    log.warning("running requests are cut", extra={"count": running})
                for server in servers:
                    server.stop(timeout=0)
                return
            if now - began >= _IDLE_GRACE_SECONDS:
                gevent.get_hub().loop.run_callback(self._close_idle)
            servers[0].pool.join(timeout=_DRAIN_LOOK_SECONDS)

    # --- connections

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """The limit on waiting for a request, noted so that draining can end the wait early."""
        limit = gevent.Timeout(self.cfg.keepalive, False)
        greenlet = gevent.getcurrent()
        with limit:
            self._waiting[greenlet] = limit
            try:
                yield
            finally:
                del self._waiting[greenlet]

    def _close_idle(self) -> None:
        # Runs in the hub, where timers run: as if the keep-alive limit of each were up now.
        for greenlet, limit in list(self._waiting.items()):
            if self._waiting.get(greenlet) is limit:
                greenlet.throw(limit)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        if req.method in REFUSED_METHODS:
            _refuse(sock, METHOD_NOT_ALLOWED, _new_request_id())
            raise StopIteration  # gunicorn's word for "close this connection"
        return super().handle_request(listener_name, req, sock, addr)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer in our shape what could not be read, or what the application let escape."""
        if isinstance(exc, gevent.GreenletExit):
            return
        info = refusal(exc)
        request_id = _new_request_id()
        with bind_request_id(request_id):
            if isinstance(exc, ParseException) and info.status < 500:
                peer = addr[0] if addr else "local"
                fields = {"client": peer, "reason": type(exc).__name__, "status": info.status}
                log.info("request refused by the parser", extra=fields)
            else:
                log.error("error outside the application", exc_info=exc)
        _refuse(client, info, request_id)


def _new_request_id() -> str:
    return f"req_{uuid.uuid4().hex}"


def _refuse(client: socket.socket, info: ErrorInfo, request_id: str) -> None:
    """Send the answer and let it arrive: closing on unread input would reset the connection."""
    with gevent.Timeout(_LINGER_SECONDS, False), suppress(OSError):
        client.sendall(draw(info, request_id))
        client.shutdown(socket.SHUT_WR)
        unread = _LINGER_BYTES
        while unread > 0 and (got := client.recv(65_536)):
            unread -= len(got)


def _log_greenlet_death(
    context: object,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    """In place of the hub's own printing to standard error."""
    if kind is not None and error is not None:
        log.error("a greenlet died", exc_info=(kind, error, trace))
