"""From a response's bytes to events: frames, then the turn decoder."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from itertools import islice

from chat2api.chat.events import EventStream
from chat2api.codecs.errors import CodecError
from chat2api.codecs.sse import FastSseDecoder
from chat2api.errors import UpstreamBadResponse, UpstreamError
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.transport.protocol import Response

_NEARLY_SECONDS = 0.02
_MOST_PIECES_AFTER_THE_END = 4


class StreamReader:
    """Reads one stream after another into the same decoder."""

    def __init__(self, decoder: TurnDecoder, event_limit_bytes: int) -> None:
        self._decoder = decoder
        self._limit = event_limit_bytes

    def events(self, response: Response) -> EventStream:
        """Until the end marker or the end of the stream. Raises what reading raises."""
        frames = FastSseDecoder(self._limit)
        decoder = self._decoder
        try:
            with closing(_closing_chunks(response)) as chunks:
                for data in chunks:
                    # Taken off one by one: one may be large, and its events may wait to be sent.
                    records = frames.feed(data)
                    records.reverse()
                    while records:
                        yield from decoder.feed(records.pop())
                    if decoder.done:
                        _take_the_end(response, chunks)
                        return
        except CodecError as error:
            raise UpstreamBadResponse(f"The upstream's stream cannot be read: {error}.") from None


def _take_the_end(response: Response, chunks: Iterator[bytes]) -> None:
    """Read the body's own end if it is nearly here: the connection can then serve the next turn."""
    response.hurry(_NEARLY_SECONDS)
    with suppress(UpstreamError):
        for _ in islice(chunks, _MOST_PIECES_AFTER_THE_END):
            pass


def _closing_chunks(response: Response) -> Generator[bytes, None, None]:
    try:
        yield from response.chunks()
    finally:
        response.close()
