"""How a compute pool and its children speak: a length, then a pickle, over a stream socket.

Pickle is safe here: the only writer on either side is our own code in a process we started.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, Protocol

_LENGTH = struct.Struct("!Q")


class Stream(Protocol):
    """The part of a socket that is used."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


def pack(value: Any) -> bytes:
    """`value` as one frame."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def receive(stream: Stream) -> Any:
    """The value of the next frame. Raises EOFError when the other side is gone."""
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return pickle.loads(_read(stream, length))  # noqa: S301 - written by our own child


def _read(stream: Stream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = stream.recv(min(size - len(data), 1 << 20))
        if not piece:
            raise EOFError("the other side closed")
        data += piece
    return bytes(data)
