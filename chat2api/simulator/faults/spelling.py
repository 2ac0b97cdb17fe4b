"""Faults of bytes: odd but legal spellings, awkward chunk borders, one enormous line."""

from __future__ import annotations

from dataclasses import replace

from chat2api.simulator.canned import sliced
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import Params
from chat2api.simulator.wire.framing import Style
from chat2api.simulator.wire.items import Pause, Pieces

_MIB = 1024 * 1024


def _crlf(style: Style, params: Params) -> Style:
    return replace(style, line_ends=("\r\n",))


def _cr(style: Style, params: Params) -> Style:
    return replace(style, line_ends=("\r",))


def _mixed(style: Style, params: Params) -> Style:
    ends = ("\n", "\r\n", "\r")
    return replace(style, line_ends=ends, bom=True, chatter=True, folded=True)


def _padded(style: Style, params: Params) -> Style:
    return replace(style, padding="  \t ")


def _tight(style: Style, params: Params) -> Style:
    return replace(style, space="")


def _nameless(style: Style, params: Params) -> Style:
    return replace(style, names=False)


def _chunks(pieces: Pieces, params: Params) -> Pieces:
    size = max(params.integer("size", 7), 1)

    def chunks() -> Pieces:
        for piece in pieces:
            if isinstance(piece, bytes):
                yield from sliced(piece, size)
            else:
                yield piece

    return chunks()


def _bytes(pieces: Pieces, params: Params) -> Pieces:
    return _chunks(pieces, Params({"size": 1}))


def _split(pieces: Pieces, params: Params) -> Pieces:
    """Cuts every event inside its field name, inside its payload, and between its line ends; the
    tail of one event comes with the head of the next."""
    gap = params.number("gap", 0)

    def split() -> Pieces:
        tail = b""
        for piece in pieces:
            if not isinstance(piece, bytes):
                yield piece
                continue
            text = tail + piece
            cuts = sorted({len(tail) + 3, len(text) // 2, max(len(text) - 1, 0)})
            start = 0
            for cut in cuts:
                if cut > start:
                    yield text[start:cut]
                    start = cut
                    if gap:
                        yield Pause(gap)
            tail = text[start:]
        if tail:
            yield tail

    return split()


def _joined(pieces: Pieces, params: Params) -> Pieces:
    """All that is ready goes out in one write."""

    def joined() -> Pieces:
        pending: list[bytes] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                pending.append(piece)
            elif not isinstance(piece, Pause):
                yield b"".join(pending)
                pending = []
                yield piece
        yield b"".join(pending)

    return joined()


def _big(pieces: Pieces, params: Params) -> Pieces:
    """One data line of `mib` mebibytes, of a type nobody knows, before the `after`-th event."""
    mib, after = params.integer("mib", 20), params.integer("after", 1)

    def big() -> Pieces:
        seen = 0
        for piece in pieces:
            if isinstance(piece, bytes):
                if seen == after:
                    yield b'data: {"type":"blob","payload":"'
                    for _ in range(mib):
                        yield b"QUJD" * (_MIB // 4)
                    yield b'"}\n\n'
                seen += 1
            yield piece

    return big()


FAULTS = (
    Fault("bytes", "every byte is its own chunk", pieces=_bytes),
    Fault("chunks", "chunks of a fixed size", "size=7", pieces=_chunks),
    Fault("split", "events cut at the worst places", "gap=0", pieces=_split),
    Fault("joined", "everything in one chunk", pieces=_joined),
    Fault("crlf", "CR LF line ends", style=_crlf),
    Fault("cr", "CR line ends", style=_cr),
    Fault("mixed", "BOM, mixed line ends, comments, retry, folded data", style=_mixed),
    Fault("padded", "blanks after the payload", style=_padded),
    Fault("tight", "no blank after the colon", style=_tight),
    Fault("nameless", "no event names", style=_nameless),
    Fault("big", "one enormous unknown event", "mib=20 after=1", pieces=_big),
)
