"""What an upstream may answer, narrowed to one closed union. Pure values.

Laws of a stream, held by the contract tests:
* events only append; nothing is taken back (a decoder that may still be corrected holds text until it is sure);
* exactly one `Finish` or `Failure`, and it is last. Providers yield `Finish` or raise `Chat2ApiError`;
  `service.completion` turns the raise into `Failure`, so that dialects never see an exception;
* a `ToolCallDelta` names its call before it adds arguments;
* `Usage` comes at most once; `Thread` may repeat, the newest holds.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from chat2api.errors import ErrorInfo

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the visible answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model lets us see of its thinking.

    `encrypted` is what it does not let us see, for the provider to be given again (`Reasoning.encrypted`).
    It ends a piece of thinking: what follows is another. `text` may be empty beside it.
    """

    text: str
    encrypted: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of a refusal, where the upstream tells it apart from the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """`call_id` and `name` stand on the first delta of a call only; `arguments` appends.

    `index` counts the calls of the answer from 0. `custom`: the call of a custom tool, whose arguments
    are any text; it stands on the first delta.
    """

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A finished picture: `pointer` is the upstream's name for it (or a data URL). Sizes in pixels."""

    pointer: str
    width: int | None = None
    height: int | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the answer; the link itself already stands in the text where the upstream put it."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Thread:
    """Where the upstream keeps this turn, so that the caller can continue it.

    Only sent when the conversation is kept. A ninth kind beside the eight of the first sketch: every
    chunk after it carries the ids, so `Finish` would be too late a place for them.
    """

    conversation_id: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. `estimated` when we counted and not the upstream."""

    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = True


@dataclass(frozen=True, slots=True)
class Finish:
    """`stop` is the caller's stop string that ended the answer. `notes` are codes of what the caller
    should know of how it came about, such as `tool_call_invalid`."""

    reason: FinishReason
    stop: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """The turn broke. Dialects draw it in-stream when something was already sent."""

    error: ErrorInfo


Event = (
    TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | ImageRef
    | Citation
    | Thread
    | Usage
    | Finish
    | Failure
)

EventStream = Generator[Event, None, None]
"""Events as they come. Closing it early ends what produces them."""
