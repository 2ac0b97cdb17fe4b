"""From a response's bytes to events: frames, then the turn decoder."""

from __future__ import annotations

from contextlib import closing

from chat2api.chat.events import EventStream
from chat2api.codecs.errors import CodecError
from chat2api.codecs.sse import FastSseDecoder
from chat2api.errors import UpstreamBadResponse
from chat2api.providers.chatgpt.decode import TurnDecoder
from chat2api.transport.protocol import Response
from chat2api.transport.streams import closing_chunks, take_the_end


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
            with closing(closing_chunks(response)) as chunks:
                for data in chunks:
                    # Taken off one by one: one may be large, and its events may wait to be sent.
                    records = frames.feed(data)
                    records.reverse()
                    while records:
                        yield from decoder.feed(records.pop())
                    if decoder.done:
                        take_the_end(response, chunks)
                        return
        except CodecError as error:
            raise UpstreamBadResponse(f"The upstream's stream cannot be read: {error}.") from None
