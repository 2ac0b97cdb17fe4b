"""The life of one upstream-bound request: a call under watch, and the request's JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import request

from chat2api.errors import InternalError, ShuttingDown
from chat2api.lifetime.call import Call
from chat2api.lifetime.watchdog import Watchdog
from chat2api.runtime import Runtime
from chat2api.web.body import parse_object, read_body, too_large
from chat2api.web.caller import CallerLimits, CallerWatch, SocketPeer, TimedBody
from chat2api.web.state import runtime, state


class WatchedCall:
    """A call and the watch over its caller; `end` when the last byte is out."""

    def __init__(self, held: Runtime) -> None:
        settings = held.settings
        self.call = Call(time.monotonic() + settings.request_seconds, state().request_id)
        sock = request.environ.get("gunicorn.socket")
        self.watch = CallerWatch(
            self.call,
            SocketPeer(sock) if sock is not None else None,
            CallerLimits(settings.keepalive_seconds, settings.write_stall_seconds),
            lambda: held.lifecycle.cut_at,
        )
        self._remove: Callable[[], None] = lambda: held.watchdog.remove(self.watch)
        held.watchdog.add(self.watch)

    def end(self) -> None:
        self._remove()

    def abandon(self) -> None:
        """Nobody will send what this call makes: end whatever works for it."""
        self.call.cancel(InternalError("The request failed."))
        self.end()


def begin_call() -> WatchedCall:
    """Raises ShuttingDown when this worker no longer takes work."""
    held = runtime()
    if held.lifecycle.draining:
        raise ShuttingDown("The server is shutting down; try again.", retry_after=5)
    return WatchedCall(held)


@contextmanager
def watched_call() -> Iterator[Call]:
    """For requests that are answered whole inside the block."""
    watched = begin_call()
    try:
        yield watched.call
    finally:
        watched.end()


def read_json() -> dict[str, Any]:
    """The request's JSON object, whatever its Content-Type says (curl -d says form data)."""
    return parse_object(read_bytes(runtime().settings.body_limit_bytes))


def read_bytes(limit: int) -> bytes:
    """The request's whole body, decompressed. Raises TooLarge, RequestTimeout and what `read_body` does."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    with _body_in_time(runtime().watchdog) as stream:
        body = read_body(stream, request.headers.get("Content-Encoding", ""), limit, _take)
    state().body_read = True
    return body


def _take(count: int) -> None:
    """Count a piece of the body against the worker's budget; `web.routes` gives all of it back."""
    runtime().bodies.take(count)
    state().body_bytes += count


@contextmanager
def _body_in_time(watchdog: Watchdog) -> Iterator[TimedBody]:
    """The request's body under watch. Raises RequestTimeout when it came too slowly."""
    sock = request.environ.get("gunicorn.socket")
    body = TimedBody(request.environ["wsgi.input"], SocketPeer(sock) if sock is not None else None)
    watchdog.add(body)
    try:
        yield body
    finally:
        watchdog.remove(body)
        body.raise_if_late()
