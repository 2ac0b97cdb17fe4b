"""A turn as the server lives it, before any encoding: steps, and what a reader should get from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chat2api.simulator.documents import Json, Operation

FinishReason = Literal["stop", "length", "content_filter", "error"]


@dataclass(frozen=True, slots=True)
class Open:
    """A new message; it is the current one from here on."""

    message: Json


@dataclass(frozen=True, slots=True)
class Write:
    """A token of text at the end of the current message (its parts or its `text`)."""

    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Several edits of the current message that arrive together."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """A typed event beside the messages."""

    event: Json


@dataclass(frozen=True, slots=True)
class Wait:
    """The server is busy for this long; left out of unpaced streams unless `always`."""

    seconds: float
    always: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment line, as sent to keep the connection open."""

    text: str


Step = Open | Write | Edit | Tell | Wait | Remark


@dataclass(frozen=True, slots=True)
class Expected:
    """What a right decoder makes of a scenario, written down by the scenario itself.

    `text` has citations resolved and tool work hidden; `markdown` shows code and its output as
    fenced blocks (sheet 5.12, T5); `raw` is the visible text as sent, marks included.
    `reasoning` joins thoughts and announcements by blank lines. `images` are finished pointers.
    """

    text: str = ""
    raw: str | None = None
    markdown: str | None = None
    reasoning: str = ""
    images: tuple[str, ...] = ()
    finish_reason: FinishReason = "stop"

    def as_json(self) -> Json:
        return {
            "text": self.text,
            "raw": self.text if self.raw is None else self.raw,
            "markdown": self.text if self.markdown is None else self.markdown,
            "reasoning": self.reasoning,
            "images": list(self.images),
            "finish_reason": self.finish_reason,
        }


@dataclass(frozen=True, slots=True)
class Script:
    """The steps of a turn. `later` happens after the HTTP stream has ended: streamed by resume when
    `handoff`, else only seen in the stored conversation, `later_seconds` after the stream."""

    steps: tuple[Step, ...]
    expected: Expected
    later: tuple[Step, ...] = ()
    later_seconds: float = 0.0
    handoff: bool = False
    done: bool = True  # whether the HTTP stream ends with [DONE]
    unpaced: bool = False  # as fast as possible unless a pace was asked for
    extra: Json = field(default_factory=dict)
