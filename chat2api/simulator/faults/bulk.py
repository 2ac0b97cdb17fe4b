"""Faults of size and packing: compression bombs, stacked encodings, giant headers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace

from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import Params
from chat2api.simulator.refusals import Reply
from chat2api.simulator.wire.items import Break, Pieces

_MIB = 1024 * 1024


def _encoding_header(reply: Reply, value: str) -> Reply:
    kept = tuple(one for one in reply.headers if one[0].lower() != "content-length")
    return replace(reply, headers=(*kept, ("Content-Encoding", value)))


def _bomb_body(mib: int) -> Iterator[bytes]:
    """A gzip stream of `mib` mebibytes of comment lines: one flushed block, repeated."""
    block = (b":" + b" " * 1022 + b"\n") * 1024
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    check = 0
    for _ in range(mib):
        check = zlib.crc32(block, check)
        yield packed
    yield packer.flush(zlib.Z_FINISH)
    yield check.to_bytes(4, "little") + (mib * _MIB % 2**32).to_bytes(4, "little")


def _bomb(pieces: Pieces, params: Params) -> Pieces:
    return iter(_bomb_body(params.integer("mib", 1024)))


def _gzip_head(reply: Reply, params: Params) -> Reply:
    return _encoding_header(reply, "gzip")


def _packed(pieces: Pieces, params: Params) -> Pieces:
    """Ordinary compression, flushed after every piece."""

    def packed() -> Pieces:
        packer = zlib.compressobj(6, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        for piece in pieces:
            if isinstance(piece, bytes):
                yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
            else:
                yield piece
        yield packer.flush()

    return packed()


def _stacked(pieces: Pieces, params: Params) -> Pieces:
    count = params.integer("count", 9)

    def stacked() -> Pieces:
        whole = []
        for piece in pieces:
            if isinstance(piece, Break):
                yield piece
            elif isinstance(piece, bytes):
                whole.append(piece)
        body = b"".join(whole)
        for _ in range(count):
            body = gzip.compress(body, mtime=0)
        yield body

    return stacked()


def _stacked_head(reply: Reply, params: Params) -> Reply:
    return _encoding_header(reply, ", ".join(["gzip"] * params.integer("count", 9)))


def _double(pieces: Pieces, params: Params) -> Pieces:
    return _stacked(pieces, Params({"count": 2}))


def _double_head(reply: Reply, params: Params) -> Reply:
    return _stacked_head(reply, Params({"count": 2}))


def _giant_header(reply: Reply, params: Params) -> Reply:
    return reply.with_headers(("X-Giant", "a" * params.integer("bytes", _MIB)))


def _many_headers(reply: Reply, params: Params) -> Reply:
    count = params.integer("count", 10_000)
    return reply.with_headers(*((f"X-Line-{number}", "a") for number in range(count)))


def _odd_encoding(reply: Reply, params: Params) -> Reply:
    return _encoding_header(reply, params.text("coding", "rot13"))


FAULTS = (
    Fault("gzip", "an honestly compressed stream", pieces=_packed, head=_gzip_head),
    Fault("bomb", "a gzip bomb", "mib=1024", pieces=_bomb, head=_gzip_head),
    Fault("double_gzip", "compressed twice", pieces=_double, head=_double_head),
    Fault("stacked", "compressed many times", "count=9", pieces=_stacked, head=_stacked_head),
    Fault("odd_encoding", "an encoding nobody knows", "coding=rot13", head=_odd_encoding),
    Fault("giant_header", "one header of a mebibyte", "bytes=1048576", head=_giant_header),
    Fault("many_headers", "ten thousand header lines", "count=10000", head=_many_headers),
)
