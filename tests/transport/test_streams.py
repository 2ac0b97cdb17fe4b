"""Reading a stream's body to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chat2api.errors import UpstreamTimeout
from chat2api.transport.streams import closing_chunks, take_the_end


class Body:
    """Pieces, then what is raised, if anything."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = list(pieces)
        self.closed = 0
        self.hurried: list[float] = []

    def chunks(self) -> Iterator[bytes]:
        while self.pieces:
            piece = self.pieces.pop(0)
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def hurry(self, seconds: float) -> None:
        self.hurried.append(seconds)

    def close(self) -> None:
        self.closed += 1


def test_a_response_is_closed_with_its_reader() -> None:
    body: Any = Body(b"a", b"b")
    chunks = closing_chunks(body)
    assert next(chunks) == b"a"
    chunks.close()
    assert body.closed == 1


def test_the_end_is_taken_if_it_is_near() -> None:
    body: Any = Body(b"", b"")
    take_the_end(body, closing_chunks(body))
    assert (body.pieces, body.closed, len(body.hurried)) == ([], 1, 1)


def test_an_end_that_does_not_come_is_not_waited_for() -> None:
    body: Any = Body(UpstreamTimeout("Too slow."))
    take_the_end(body, closing_chunks(body))
    endless: Any = Body(*[b"x"] * 100)
    take_the_end(endless, closing_chunks(endless))
    assert len(endless.pieces) == 96
