"""The smallest picture and the shortest silence that are what they say."""

from __future__ import annotations

import struct
import zlib

WAV_HEADER = 44
"""Bytes before the samples."""
_RATE = 8_000
# An MPEG-1 layer III frame of 32 kbit/s at 44.1 kHz whose side information says that nothing sounds.
_MP3_FRAME = b"\xff\xfb\x10\xc4".ljust(104, b"\0")


def png(red: int, green: int, blue: int) -> bytes:
    """A picture of one pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((0, red, green, blue)))
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wav(seconds: float) -> bytes:
    """Silence, mono, 16 bits."""
    data = bytes(int(seconds * _RATE) * 2)
    form = struct.pack("<HHIIHH", 1, 1, _RATE, _RATE * 2, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def mp3(seconds: float) -> bytes:
    """Silence in frames of 26 milliseconds."""
    return _MP3_FRAME * max(int(seconds / 0.026), 1)
