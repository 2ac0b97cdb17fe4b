"""Streams that are bytes already: recordings sent again, and a baked stream that costs next to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.script import Write
from chat2api.simulator.turn import Scribe, Turn
from chat2api.simulator.wire.framing import encode
from chat2api.simulator.wire.items import DONE, Frame, Pause, Piece, Pieces
from chat2api.simulator.wire.render import Encoding, Spelling, render

_EVENT_END = re.compile(rb"(?:\r\n|\n|\r){2}")
_FIXED_ID = "00000000-0000-4000-8000-00000000ba4e"


def replay(recordings: Mapping[str, bytes], params: Params) -> Pieces:
    """An uploaded recording: event by event, or in chunks of `cut` bytes; `gap` seconds between."""
    name = params.text("name", "default")
    recording = recordings.get(name)
    if recording is None:
        raise BadParameter(f"there is no recording `{name}`; send it to /_sim/recordings/{name}")
    size = params.integer("cut", 0)
    chunks = sliced(recording, size) if size > 0 else events(recording)
    return _spaced(chunks, params.number("gap", 0))


def sliced(text: bytes, size: int) -> Iterable[bytes]:
    """`text` in chunks of `size` bytes."""
    return (text[start : start + size] for start in range(0, len(text), size))


def events(recording: bytes) -> Iterable[bytes]:
    """The recording cut after each event's empty line."""
    start = 0
    for end in _EVENT_END.finditer(recording):
        yield recording[start : end.end()]
        start = end.end()
    if start < len(recording):
        yield recording[start:]


def _spaced(chunks: Iterable[bytes], gap: float) -> Pieces:
    for chunk in chunks:
        if gap:
            yield Pause(gap)
        yield chunk


class Bakery:
    """Rendered streams, kept by their parameters. They all carry the same ids."""

    def __init__(self) -> None:
        self._shelf: dict[tuple[object, ...], tuple[Piece, ...]] = {}

    def bake(self, params: Params, encoding: Encoding, turn: Turn) -> tuple[Piece, ...]:
        """`deltas` text deltas of `chars` characters, `batch` of them per write, `gap` seconds before
        each write."""
        deltas = params.integer("deltas", 200)
        chars = params.integer("chars", 5)
        batch = max(params.integer("batch", 1), 1)
        gap = params.number("gap", 0.02)
        key = (encoding, turn.era, deltas, chars, batch, gap)
        if key not in self._shelf:
            self._shelf[key] = tuple(_bake(turn, encoding, deltas, chars, batch, gap))
        return self._shelf[key]


def baked_word(index: int, chars: int) -> str:
    """The text of the `index`-th baked delta."""
    return f"{index:>{chars}}"[-chars:]


def _bake(
    turn: Turn, encoding: Encoding, deltas: int, chars: int, batch: int, gap: float
) -> Iterable[Piece]:
    fixed = Turn("", turn.model, turn.era, conversation_id=_FIXED_ID)
    scribe = Scribe(fixed)
    scribe.open_answer()
    scribe.steps.extend(Write(baked_word(index, chars)) for index in range(deltas))
    scribe.finish()
    if turn.era == "2026":
        scribe.tell("message_stream_complete")
    spelling = Spelling(_FIXED_ID)
    frames = [item for item in render(scribe.steps, encoding, spelling) if isinstance(item, Frame)]
    pending: list[bytes] = []
    waiting = 0
    for frame in [*frames, DONE]:
        pending.extend(piece for piece in encode((frame,)) if isinstance(piece, bytes))
        waiting += frame.tokens > 0
        if waiting == batch:
            yield Pause(gap)
            yield b"".join(pending)
            pending, waiting = [], 0
    yield b"".join(pending)
