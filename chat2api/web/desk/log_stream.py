"""Log lines as server-sent events: what comes, as it comes, until somebody or something ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import orjson

from chat2api.errors import Chat2ApiError, ClientGone, StorageUnavailable
from chat2api.live_log import Found, LiveLog, LogLine, Place
from chat2api.web.calls import WatchedCall

LOOK_SECONDS = 1.0
_ADMISSION_SECONDS = 5.0
_MOST_AT_ONCE = 200
_BEGIN = b"retry: 2000\n\n"
_BEAT = b": still here\n\n"


class LogStream:
    """An iterator for the WSGI server; `close` always runs, and gives back the seat.

    It ends when the caller is gone, the request's time is over or this worker drains (`watched`), and
    when `admitted` says no. The browser comes back by itself, with the place where it stood.
    """

    def __init__(
        self,
        live: LiveLog,
        place: Place | None,
        wanted: Callable[[LogLine], bool],
        draw: Callable[[LogLine], dict[str, object]],
        watched: WatchedCall,
        *,
        admitted: Callable[[], bool],
        draining: Callable[[], bool],
        keepalive_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._place = place
        self._wanted = wanted
        self._draw = draw
        self._watched = watched
        self._admitted = admitted
        self._draining = draining
        self._keepalive_seconds = keepalive_seconds
        self._clock = clock
        self._closed = False
        self._pieces = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._watched.watch.written()
        piece = next(self._pieces)
        self._watched.watch.writing()
        return piece

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._watched.call.cancel(ClientGone("The caller hung up."))
        self._watched.end()
        self._live.seats.release()

    def _run(self) -> Iterator[bytes]:
        yield _BEGIN
        sent_at = asked_at = self._clock()
        while not self._draining():
            found = self._live.after(self._place)
            for piece in self._events(found):
                yield piece
                sent_at = self._clock()
            now = self._clock()
            if now - sent_at >= self._keepalive_seconds:
                yield _BEAT
                sent_at = now
            if now - asked_at >= _ADMISSION_SECONDS:
                asked_at = now
                if not self._may_stay():
                    return
            try:
                self._watched.call.pause(LOOK_SECONDS)
            except Chat2ApiError:
                return

    def _events(self, found: Found) -> Iterator[bytes]:
        """In pieces, each with the place to go on from; only the last one's place is exact."""
        if found.gap:
            yield b"event: gap\ndata: {}\n\n"
        lines = [line for line in found.lines if self._wanted(line)]
        moved, self._place = found.place != self._place, found.place
        for start in range(0, len(lines), _MOST_AT_ONCE):
            part = [self._draw(line) for line in lines[start : start + _MOST_AT_ONCE]]
            is_last = start + _MOST_AT_ONCE >= len(lines)
            yield _event(part, found.place if is_last else None)
        if moved and not lines and found.place is not None:
            yield b"id: %b\n\n" % str(found.place).encode()

    def _may_stay(self) -> bool:
        """While the database is away nobody is sent off."""
        try:
            return self._admitted()
        except StorageUnavailable:
            return True


def _event(lines: list[dict[str, object]], place: Place | None) -> bytes:
    head = b"" if place is None else b"id: %b\n" % str(place).encode()
    # JSON has no line breaks of its own, so one `data:` holds it.
    return b"%bevent: lines\ndata: %b\n\n" % (head, orjson.dumps(lines))
