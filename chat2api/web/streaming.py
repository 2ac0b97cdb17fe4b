"""Answers onto the wire, under watch: a streamed body is one write for all that waits, or for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chat2api.dialects.protocol import Renderer
from chat2api.errors import ClientGone
from chat2api.lifetime.call import Call
from chat2api.web.caller import CallerWatch
from chat2api.web.channel import Batch, Channel

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    # Proxies must neither buffer, transform nor keep a stream.
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

# A write counts as stalled when the caller took nothing of it; so a write is never too much to take.
_MOST_WRITTEN_BYTES = 65_536
# Of an event that must not be cut: no reader gets one in one piece that is larger than this.
_MOST_EVENT_BYTES = 1_048_576
_FRAME_END = b"\n\n"


def _slices(data: bytes, most: int = _MOST_WRITTEN_BYTES) -> Iterator[bytes]:
    return (data[start : start + most] for start in range(0, len(data), most))


def _frames(data: bytes) -> Iterator[bytes]:
    """One event at a time."""
    start = 0
    while start < len(data):
        end = data.find(_FRAME_END, start)
        end = len(data) if end < 0 else end + len(_FRAME_END)
        yield from _slices(data[start:end], _MOST_EVENT_BYTES)
        start = end


def sent_under_watch(data: bytes, watch: CallerWatch) -> Iterator[bytes]:
    """The body of an answer that is not streamed: its caller, too, may stop reading."""
    for piece in _slices(data):
        watch.writing()
        yield piece
        watch.written()


class StreamBody:
    """An iterator for the WSGI server. `close` always runs, also when nothing was ever read.

    `on_close` is called once, when the last byte is out or the caller is gone. `single_writes`: every
    event is a piece of its own.
    """

    def __init__(
        self,
        channel: Channel,
        renderer: Renderer,
        first: Batch,
        call: Call,
        watch: CallerWatch,
        *,
        single_writes: bool = False,
    ) -> None:
        self._channel = channel
        self._renderer = renderer
        self._first: Batch | None = first
        self._call = call
        self._watch = watch
        self._pieces = _frames if single_writes else _slices
        self._most_bytes = 0 if single_writes else _MOST_WRITTEN_BYTES
        self.on_close: Callable[[], None] = lambda: None
        self._rest: Iterator[bytes] = iter(())  # of what is rendered
        self._ended = False
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._watch.written()
        data = next(self._rest, b"") or self._next_batch()
        if not data:
            raise StopIteration
        self._watch.writing()
        return data

    def _next_batch(self) -> bytes:
        """What all that waits looks like on the wire, or the beginning of it; empty at the end."""
        data = b""
        while not (data or self._ended):
            batch = self._first or self._channel.take()
            self._first = None
            data = self._rendered(batch)
        if len(data) <= self._most_bytes:
            return data
        self._rest = self._pieces(data)
        return next(self._rest, b"")

    def _rendered(self, batch: Batch) -> bytes:
        pieces = []
        for index, events in batch.groups:
            pieces.append(self._renderer.feed(index, events))
        failure = batch.failure
        if failure is not None or batch.ended:
            self._ended = True
            pieces.append(self._renderer.close())
            if failure is not None:
                self._call.cancel(ClientGone("The answer already failed."))
        elif batch.beat:
            pieces.append(self._renderer.beat())
        return b"".join(pieces)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not self._ended:
            self._call.cancel(ClientGone("The caller hung up."))
        self.on_close()
