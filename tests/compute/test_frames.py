"""Frames survive whatever way a stream cuts them up."""

from __future__ import annotations

import pytest

from chat2api.compute import frames


class Cut:
    """A stream that gives at most `size` bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size

    def recv(self, size: int) -> bytes:
        piece = self._data[: min(size, self._size)]
        self._data = self._data[len(piece) :]
        return piece


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_come_apart_where_they_were_joined(size: int) -> None:
    values = [(1, "a"), None, b"\x00" * 50]
    stream = Cut(b"".join(map(frames.pack, values)), size)

    assert [frames.receive(stream) for _ in values] == values


def test_a_stream_that_ends_inside_a_frame() -> None:
    frame = frames.pack("text")
    for end in range(len(frame)):
        with pytest.raises(EOFError):
            frames.receive(Cut(frame[:end], 4))
