"""Answers onto the wire, under watch: a streamed body is one write for all that waits."""

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


def _slices(data: bytes) -> Iterator[bytes]:
    return (
        data[start : start + _MOST_WRITTEN_BYTES]
        for start in range(0, len(data), _MOST_WRITTEN_BYTES)
    )


def sent_under_watch(data: bytes, watch: CallerWatch) -> Iterator[bytes]:
    """The body of an answer that is not streamed: its caller, too, may stop reading."""
    for piece in _slices(data):
        watch.writing()
        yield piece
        watch.written()


class StreamBody:
    """An iterator for the WSGI server. `close` always runs, also when nothing was ever read.

    `on_close` is called once, when the last byte is out or the caller is gone.
    """

    def __init__(
        self,
        channel: Channel,
        renderer: Renderer,
        first: Batch,
        call: Call,
        watch: CallerWatch,
    ) -> None:
        self._channel = channel
        self._renderer = renderer
        self._first: Batch | None = first
        self._call = call
        self._watch = watch
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
        if len(data) <= _MOST_WRITTEN_BYTES:
            return data
        self._rest = _slices(data)
        return next(self._rest)

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
