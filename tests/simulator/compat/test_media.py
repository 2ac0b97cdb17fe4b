"""Pictures and sounds are what they say."""

from __future__ import annotations

import io
import struct
import wave
import zlib

from chat2api.simulator.compat.media import WAV_HEADER, mp3, png, wav


def test_a_picture_of_one_pixel() -> None:
    picture = png(1, 2, 3)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack(">I", picture[at + 8 + size : at + 12 + size])
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (1, 1)
    assert zlib.decompress(chunks[b"IDAT"]) == bytes((0, 1, 2, 3))


def test_silence_as_wav() -> None:
    sound = wav(0.5)
    with wave.open(io.BytesIO(sound)) as read:
        assert read.getnframes() / read.getframerate() == 0.5
        assert read.readframes(9_999) == sound[WAV_HEADER:]
        assert not any(sound[WAV_HEADER:])


def test_silence_as_mp3() -> None:
    sound = mp3(0.26)
    # Every frame begins where the header of the one before says.
    assert {sound[at : at + 3] for at in range(0, len(sound), 104)} == {b"\xff\xfb\x10"}
    assert len(sound) == 10 * 104
    assert len(mp3(0)) == 104
