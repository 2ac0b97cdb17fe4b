"""What flows towards the caller before it is bytes: frames, comments, pauses and broken lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event. `tokens` is how much visible answer it carries: what pacing and
    `after=` count."""

    data: str
    event: str | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment line."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is sent for this long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Break:
    """The line ends here: `reset` by RST, `cut` by FIN inside the body, `close` as a proper end."""

    kind: Literal["reset", "cut", "close"]


Item = Frame | Comment | Pause | Break
Items = Iterator[Item]
Piece = bytes | Pause | Break
Pieces = Iterator[Piece]

DONE = Frame("[DONE]")
