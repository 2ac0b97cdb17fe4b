"""How the body of an upstream's stream is read to its end, by whichever provider."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from itertools import islice

from chat2api.errors import UpstreamError
from chat2api.transport.protocol import Response

_NEARLY_SECONDS = 0.02
_MOST_PIECES_AFTER_THE_END = 4


def closing_chunks(response: Response) -> Generator[bytes, None, None]:
    """The body's pieces; the response is closed with the generator. Raises what reading raises."""
    try:
        yield from response.chunks()
    finally:
        response.close()


def take_the_end(response: Response, chunks: Iterator[bytes]) -> None:
    """Read the body's own end if it is nearly here: the connection can then serve the next turn."""
    response.hurry(_NEARLY_SECONDS)
    with suppress(UpstreamError):
        for _ in islice(chunks, _MOST_PIECES_AFTER_THE_END):
            pass
