"""Server-sent events as we promise to write them: no looseness that the standard would allow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One event. `name` of its `event:` line, None without one; `data` parsed, or "[DONE]"."""

    name: str | None
    data: Any


@dataclass(frozen=True, slots=True)
class Streamed:
    """A stream that kept its rules. `whole` is what a client has at the end; `error` what ended it early."""

    payloads: list[Any]
    whole: Any
    error: Any = None


def read_frames(body: bytes, *, named: bool) -> list[Frame]:
    """The events between comments. With `named` each has an `event:` line that repeats its type."""
    text = body.decode("utf-8")
    assert text.endswith("\n\n"), f"the last event is not ended: {text[-80:]!r}"
    assert "\r" not in text
    frames = [_frame(piece, named) for piece in text[:-2].split("\n\n") if not _comment(piece)]
    assert frames, "a stream without events"
    return frames


def _comment(piece: str) -> bool:
    return piece.startswith(":") and "\n" not in piece


def _frame(piece: str, named: bool) -> Frame:
    lines = piece.split("\n")
    name = None
    if named:
        assert lines[0].startswith("event: "), f"no event line: {piece[:200]!r}"
        name = lines.pop(0).removeprefix("event: ")
    assert len(lines) == 1, f"an event of several data lines: {piece[:200]!r}"
    assert lines[0].startswith("data: "), f"not a data line: {piece[:200]!r}"
    data = lines[0].removeprefix("data: ")
    if data == "[DONE]":
        assert not named, "[DONE] belongs to chat completions alone"
        return Frame(name, data)
    payload = json.loads(data)
    assert name is None or payload["type"] == name, f"event line {name}, type {payload['type']}"
    return Frame(name, payload)


def same(values: list[Any], what: str) -> None:
    assert all(value == values[0] for value in values), f"{what} changes on the way: {values[:3]}"


def is_object(text: str) -> bool:
    """The text is a JSON object, and nothing else."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
