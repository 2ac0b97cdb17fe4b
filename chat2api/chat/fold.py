"""Folds a stream of events into one completion. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    FinishReason,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.errors import ErrorInfo

Piece = str | ImageRef
"""A stretch of answer text, or a picture where it stood between texts."""


@dataclass(slots=True)
class FoldedCall:
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    custom: bool = False


@dataclass(slots=True)
class Completion:
    """A whole answer. `pieces` keeps the order of texts and pictures.

    `events` is what it was folded from, in order and with neighbours joined.
    """

    pieces: list[Piece] = field(default_factory=list)
    reasoning: str = ""
    refusal: str = ""
    tool_calls: list[FoldedCall] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    thread: Thread | None = None
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    stop: str | None = None
    notes: tuple[str, ...] = ()
    failure: ErrorInfo | None = None
    events: list[Event] = field(default_factory=list, compare=False, repr=False)

    @property
    def text(self) -> str:
        return "".join(piece for piece in self.pieces if isinstance(piece, str))


def fold(events: Iterable[Event]) -> Completion:
    """Read `events` to the end. Texts are joined once, so long answers cost linear time."""
    folded = Completion(events=joined(events))
    pieces: list[Piece] = []
    run: list[str] = []
    reasoning: list[str] = []

    for event in folded.events:
        match event:
            case TextDelta(text):
                run.append(text)
            case ReasoningDelta(text):
                reasoning.append(text)
            case RefusalDelta(text):
                folded.refusal += text
            case ImageRef():
                if run:
                    pieces.append("".join(run))
                    run = []
                pieces.append(event)
            case ToolCallDelta():
                _add_call(folded.tool_calls, event)
            case Citation():
                folded.citations.append(event)
            case Thread():
                folded.thread = event
            case Usage():
                folded.usage = event
            case Finish(reason, stop, notes):
                folded.finish_reason, folded.stop, folded.notes = reason, stop, notes
            case Failure(error):
                folded.failure = error
            case _:
                assert_never(event)
    if run:
        pieces.append("".join(run))
    folded.pieces = pieces
    folded.reasoning = "".join(reasoning)
    return folded


def joined(events: Iterable[Event]) -> list[Event]:
    """The same answer in as few events as can tell it: deltas that continue each other become one."""
    apart: list[Event] = []
    run: list[str] = []
    last: TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | None = None

    for event in events:
        if last is not None and _continues(last, event):
            run.append(_said(event))
            continue
        if last is not None:
            apart.append(_with(last, run))
        if isinstance(event, TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta):
            last, run = event, [_said(event)]
        else:
            last = None
            apart.append(event)
    if last is not None:
        apart.append(_with(last, run))
    return apart


def _continues(last: Event, event: Event) -> bool:
    if isinstance(event, ToolCallDelta):
        same_call = isinstance(last, ToolCallDelta) and last.index == event.index
        return same_call and event.name is None and event.call_id is None
    return type(event) is type(last)


def _said(event: Event) -> str:
    match event:
        case TextDelta(text) | ReasoningDelta(text) | RefusalDelta(text):
            return text
        case ToolCallDelta():
            return event.arguments
        case _:
            return ""


def _with(
    first: TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta, run: list[str]
) -> Event:
    if len(run) == 1:
        return first
    if isinstance(first, ToolCallDelta):
        return replace(first, arguments="".join(run))
    return replace(first, text="".join(run))


def _add_call(calls: list[FoldedCall], delta: ToolCallDelta) -> None:
    while len(calls) <= delta.index:
        calls.append(FoldedCall())
    call = calls[delta.index]
    if delta.call_id is not None:
        call.call_id = delta.call_id
    if delta.name is not None:
        call.name = delta.name
        call.custom = delta.custom
    call.arguments += delta.arguments
