"""Ends an answer where its limits say: at a stop string, or after a number of tokens. Pure.

Upstreams that know no such limits are read through a `Cutter`. It gives out every character as soon as
nothing that can still follow would take it back, and costs nothing when there are no limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import assert_never

from chat2api.chat.conversation import Limits
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

Count = Callable[[str], int]
"""The tokens of a text; never more than its UTF-8 bytes."""

PrefixWithin = Callable[[str, int], str]
"""The longest prefix of a text that has at most so many tokens."""


class Cutter:
    """Reads one answer. `done` says that the limits ended it: nothing more need be read."""

    __slots__ = ("_budget", "_stops", "done")

    def __init__(self, limits: Limits, count: Count, prefix_within: PrefixWithin) -> None:
        self.done = False
        self._stops = StopSearch(limits.stop) if limits.stop else None
        self._budget = (
            None
            if limits.max_tokens is None
            else TokenBudget(limits.max_tokens, count, prefix_within)
        )

    def cut(self, events: Iterable[Event]) -> Iterator[Event]:
        """`events` up to where the limits end them. Reads no further; closing `events` is the caller's."""
        if self._stops is None and self._budget is None:
            return iter(events)
        return self._until_done(events)

    def _until_done(self, events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            yield from self.feed(event)
            if self.done:
                return

    def feed(self, event: Event) -> list[Event]:
        """What `event` lets out. When `done` turns true the last one is the `Finish`."""
        if self.done:
            return []
        match event:
            case TextDelta(text):
                return self._text(text)
            case ReasoningDelta():
                return self._reasoning(event)
            case ImageRef() | ToolCallDelta() | Finish() | Failure():
                # No stop string reaches across these, so what was held is text.
                out = self._spend_text("" if self._stops is None else self._stops.release())
                return out if self.done else [*out, event]
            case Citation() | Thread() | RefusalDelta() | Usage():
                return [event]
            case _:
                assert_never(event)

    def _text(self, text: str) -> list[Event]:
        if self._stops is None:
            return self._spend_text(text)
        out = self._spend_text(self._stops.feed(text))
        if self._stops.found is None or self.done:
            return out
        return self._finished(out, "stop", self._stops.found)

    def _spend_text(self, text: str) -> list[Event]:
        within = text if self._budget is None else self._budget.take_text(text)
        out: list[Event] = [TextDelta(within)] if within else []
        return self._ended_if_spent(out)

    def _reasoning(self, delta: ReasoningDelta) -> list[Event]:
        text = delta.text
        within = text if self._budget is None else self._budget.take_reasoning(text)
        out: list[Event] = []
        if within or delta.encrypted is not None:
            out.append(ReasoningDelta(within, delta.encrypted))
        return self._ended_if_spent(out)

    def _ended_if_spent(self, out: list[Event]) -> list[Event]:
        spent = self._budget is not None and self._budget.is_spent
        return self._finished(out, "length") if spent else out

    def _finished(
        self, out: list[Event], reason: FinishReason, stop: str | None = None
    ) -> list[Event]:
        self.done = True
        return [*out, Finish(reason, stop)]


class StopSearch:
    """Looks for the stop string that is complete first, as one who watches the text being written.

    Of several that are complete at the same character the longest counts. The end of the text that may
    still become a stop string is held back.
    """

    __slots__ = ("_held", "_stops", "found")

    def __init__(self, stops: Iterable[str]) -> None:
        self.found: str | None = None
        self._stops = tuple(stops)
        self._held = ""

    def feed(self, text: str) -> str:
        """The text that `text` lets out: up to the stop string when one was `found`."""
        text = self._held + text
        hit = min(
            ((at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0),
            default=None,
        )
        if hit is not None:
            self.found = hit[2]
            self._held = ""
            return text[: hit[1]]
        keep_from = min(_possible_start(text, stop) for stop in self._stops)
        self._held = text[keep_from:]
        return text[:keep_from]

    def release(self) -> str:
        """What was held, now that nothing follows it."""
        held, self._held = self._held, ""
        return held


def _possible_start(text: str, stop: str) -> int:
    """Where the longest proper prefix of `stop` that ends `text` begins; the text's length if none."""
    first = stop[0]
    at = text.find(first, max(0, len(text) - len(stop) + 1))
    while at >= 0:
        if stop.startswith(text[at:]):
            return at
        at = text.find(first, at + 1)
    return len(text)


class TokenBudget:
    """How much of an answer fits into a number of tokens, reasoning included.

    A text has no more tokens than bytes. So after each count nothing is counted until as many bytes have
    come as tokens were left, which makes counts rare until the very end; and a count looks at the text
    since a recent word boundary only. Both together keep the work linear.
    """

    __slots__ = ("_count", "_limit", "_prefix_within", "_reasoning", "_slack", "_text", "is_spent")

    def __init__(self, limit: int, count: Count, prefix_within: PrefixWithin) -> None:
        self.is_spent = False
        self._limit = limit
        self._count = count
        self._prefix_within = prefix_within
        self._slack = limit  # bytes that fit for certain
        self._text = _Written()
        self._reasoning = _Written()

    def take_text(self, text: str) -> str:
        """The part of `text` that fits. `is_spent` turns true when it is not the whole."""
        return self._take(self._text, self._reasoning, text)

    def take_reasoning(self, text: str) -> str:
        return self._take(self._reasoning, self._text, text)

    def _take(self, written: _Written, other: _Written, text: str) -> str:
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if size <= self._slack:
            self._slack -= size
            written.add(text)
            return text
        room = self._limit - other.tokens(self._count)
        taken = []
        for start in range(0, len(text), _PIECE_CHARACTERS):
            taken.append(self._take_piece(written, room, text[start : start + _PIECE_CHARACTERS]))
            if self.is_spent:
                break
        return "".join(taken)

    def _take_piece(self, written: _Written, room: int, piece: str) -> str:
        """`piece`, if everything written with it fits into `room` tokens; else its beginning."""
        written.settle(self._count)
        tail, room_for_tail = written.tail, room - written.settled
        used = self._count(tail + piece)
        if used <= room_for_tail:
            self._slack = room_for_tail - used
            written.add(piece)
            return piece
        self.is_spent = True
        return self._prefix_within(tail + piece, max(0, room_for_tail))[len(tail) :]


_PIECE_CHARACTERS = 1024
_TAIL_CHARACTERS = 256


class _Written:
    """The text of one channel: the tokens of its settled beginning, and the rest as text.

    Settling happens before a space, where tokenizers start a new token anyway; in a text without spaces
    it may count one token too many.
    """

    __slots__ = ("_parts", "settled")

    def __init__(self) -> None:
        self.settled = 0
        self._parts: list[str] = []

    @property
    def tail(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    def add(self, text: str) -> None:
        self._parts.append(text)

    def settle(self, count: Count) -> None:
        """Count all but the last words of a long tail for good."""
        tail = self.tail
        if len(tail) <= 2 * _TAIL_CHARACTERS:
            return
        keep_from = len(tail) - _TAIL_CHARACTERS
        space = tail.rfind(" ", 1, keep_from + 1)
        if space > keep_from - _TAIL_CHARACTERS:
            keep_from = space
        self.settled += count(tail[:keep_from])
        self._parts = [tail[keep_from:]]

    def tokens(self, count: Count) -> int:
        self.settle(count)
        return self.settled + count(self.tail)
