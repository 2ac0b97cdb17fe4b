"""Frames into server-sent-event bytes, in every spelling the standard allows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

from chat2api.simulator.wire.items import Break, Comment, Frame, Item, Pause, Pieces

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Style:
    """How frames are spelled. `line_ends` are used in turn, one per frame."""

    line_ends: tuple[str, ...] = ("\n",)
    bom: bool = False
    names: bool = True  # False drops every `event:` line
    chatter: bool = False  # comments, retry and id lines between the fields
    folded: bool = False  # JSON spread over several data lines
    padding: str = ""  # blanks after the payload
    space: str = " "  # between `data:` and the payload


PLAIN = Style()


def encode(items: Iterable[Item], style: Style = PLAIN) -> Pieces:
    """The bytes of each frame, one piece each; pauses and breaks pass through."""
    ends = cycle(style.line_ends)
    if style.bom:
        yield BOM
    for item in items:
        match item:
            case Frame():
                yield _frame_bytes(item, style, next(ends))
            case Comment(text):
                end = next(ends)
                yield f": {text}{end}{end}".encode()
            case Pause() | Break():
                yield item


def _frame_bytes(frame: Frame, style: Style, end: str) -> bytes:
    lines = []
    if style.chatter:
        lines += [": simulator", "retry: 3000", f"id: {len(frame.data)}", "unknown-field: x"]
    if frame.event is not None and style.names:
        lines.append(f"event:{style.space}{frame.event}")
    payloads = frame.data.split("\n")
    if style.folded:
        payloads = _fold(frame.data)
    lines += [f"data:{style.space}{payload}{style.padding}" for payload in payloads]
    # A lone surrogate, as a caller may send one, becomes the escape that JSON has for it.
    return "".join(line + end for line in [*lines, ""]).encode("utf-8", "backslashreplace")


def _fold(data: str) -> list[str]:
    """Breaks after the first brace and before the last: the joined text is still the same JSON."""
    if len(data) > 2 and data[0] == "{" and data[-1] == "}":
        return ["{", data[1:-1], "}"]
    return [data]
