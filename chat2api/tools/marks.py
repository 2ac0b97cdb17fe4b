"""Finds the tags that `weave` explained in what a model writes, also where they are still being written.

The marker of a request must never reach the caller, so whatever is not a call is read through a `Sieve`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["call", "call_end", "result", "result_end", "bare", "think", "think_end"]

_KINDS: dict[tuple[str, str], Kind] = {
    ("", "call"): "call",
    ("/", "call"): "call_end",
    ("", "result"): "result",
    ("/", "result"): "result_end",
}
_THINK = re.compile("<(/?)think>")
_HEAD = re.compile(r"(<|&lt;)(/?)tool_(call|result)_\Z")
_LONGEST_HEAD = len("&lt;/tool_result_")
_INSIDE = r"(?:[^<>\n&]|&(?!gt;)){0,300}"
_REST = re.compile(rf"({_INSIDE}?)(?:>|&gt;)")
_REST_BEGUN = re.compile(rf"{_INSIDE}\Z")
_REST_BROKEN = re.compile(_INSIDE)


PIECE_CHARACTERS = 4096
"""Longer texts are read in pieces of this size, which keeps the work linear whatever they hold."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a tag stands, up to and with its marker; what follows of it is up to `Marks.rest`."""

    kind: Kind
    start: int
    end: int
    escaped: bool = False


class Marks:
    """The tags of one request, and the tags of thinking."""

    __slots__ = ("_longest", "_whole", "nonce")

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        opened = [
            f"{bracket}{slash}tool_{what}_{nonce}"
            for bracket in ("<", "&lt;")
            for slash in ("", "/")
            for what in ("call", "result")
        ]
        self._whole = (*opened, "<think>", "</think>")
        self._longest = max(map(len, self._whole))

    def find(self, text: str, *, thinking: bool = True) -> Mark | None:
        """The first mark in `text`; `thinking`: also the tags of thinking."""
        at = text.find(self.nonce)
        before = len(text) if at < 0 else at
        thought = _THINK.search(text, 0, before) if thinking and "think>" in text else None
        if thought is not None:
            return Mark("think_end" if thought[1] else "think", *thought.span())
        if at < 0:
            return None
        end = at + len(self.nonce)
        head = _HEAD.search(text, max(0, at - _LONGEST_HEAD), at)
        if head is None:
            return Mark("bare", at, end)
        return Mark(_KINDS[head[2], head[3]], head.start(), end, head[1] != "<")

    def begun(self, text: str) -> int:
        """Where the end of `text` may be the beginning of a mark; its length where it cannot."""
        size = len(text)
        start = max(0, size - self._longest)
        at = size
        for bracket in "<&":
            found = text.rfind(bracket, start)
            if found >= 0:
                tail = text[found:]
                if any(one.startswith(tail) for one in self._whole):
                    at = min(at, found)
        return min(at, self.nonce_begun(text))

    def nonce_begun(self, text: str) -> int:
        """Where the end of `text` may be the beginning of the marker itself."""
        nonce = self.nonce
        at = text.find(nonce[0], max(0, len(text) - len(nonce) + 1))
        while at >= 0:
            if nonce.startswith(text[at:]):
                return at
            at = text.find(nonce[0], at + 1)
        return len(text)

    def rest(self, text: str, at: int, *, final: bool) -> tuple[int, int] | None:
        """Where what stands in a tag ends, and where the tag does; None while more text decides.

        Both are equal where the tag has no end. `at` is the end of its mark.
        """
        found = _REST.match(text, at)
        if found is not None:
            return found.end(1), found.end()
        if not final and _REST_BEGUN.match(text, at):
            return None
        broken = _REST_BROKEN.match(text, at)
        end = at if broken is None else broken.end()
        return end, end

    def unfinished(self, text: str) -> str:
        """The end of a text that will not go on, without a mark that was cut in the middle."""
        at = self.begun(text)
        return text[:at] if "tool_call_" in text[at:] or "tool_result_" in text[at:] else text


class Outlet:
    """What one channel has let out; sees to it that its pieces do not make up the marker together."""

    __slots__ = ("_marks", "_tail", "has_seam")

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._tail = ""
        self.has_seam = False

    def seam(self) -> None:
        """Something was taken out here."""
        self.has_seam = True

    def note(self, text: str) -> None:
        """`text` went out as it is."""
        size = len(self._marks.nonce) - 1
        self._tail = text[-size:] if len(text) >= size else (self._tail + text)[-size:]

    def let_out(self, text: str) -> str:
        """`text` as it may go out. Whole tags in it are taken out as well."""
        nonce = self._marks.nonce
        if nonce in text:
            text = text.replace(nonce, "_")
        if self.has_seam and text:
            self.has_seam = False
            if self._marks.nonce_begun(self._tail) < len(self._tail):
                text = f" {text}"
        self.note(text)
        return text


class Sieve:
    """Text in, text without tags and markers out."""

    __slots__ = ("_held", "_marks", "_outlet")

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._outlet = Outlet(marks)
        self._held = ""

    @property
    def holds(self) -> bool:
        """Whether something waits for what follows."""
        return bool(self._held)

    def feed(self, text: str) -> str:
        """What `text` lets out."""
        pieces = range(0, len(text), PIECE_CHARACTERS)
        return "".join(
            self._sieved(self._held + text[at : at + PIECE_CHARACTERS], final=False)
            for at in pieces
        )

    def flush(self) -> str:
        """What was held, now that something else follows."""
        if not self._held:
            return ""
        out = self._sieved(self._held, final=True)
        self._outlet.seam()
        return out

    def _sieved(self, text: str, *, final: bool) -> str:
        self._held = ""
        out: list[str] = []
        while (mark := self._marks.find(text, thinking=False)) is not None:
            end = mark.end
            if mark.kind != "bare":
                rest = self._marks.rest(text, mark.end, final=final)
                if rest is None:
                    out.append(self._outlet.let_out(text[: mark.start]))
                    self._held = text[mark.start :]
                    return "".join(out)
                end = end_of_stray(mark, rest)
            out.append(self._outlet.let_out(text[: mark.start]))
            self._outlet.seam()
            text = text[end:]
        keep = len(text)
        if final:
            text = self._marks.unfinished(text)
        else:
            keep = self._marks.begun(text)
        out.append(self._outlet.let_out(text[:keep]))
        self._held = text[keep:]
        return "".join(out)


def end_of_stray(mark: Mark, rest: tuple[int, int]) -> int:
    """Where a tag ends that is taken out; without an end of its own it goes no further than its mark."""
    inside, end = rest
    return end if end > inside else mark.end
