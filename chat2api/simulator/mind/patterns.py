"""A text that matches a regular expression, found by walking through the expression once.

It knows what schemas use: literals, classes, groups, alternatives, repetitions, anchors. Look-arounds and
references are beyond it; the result may then not match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORTHANDS = {"d": "1", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "n": "\n", "t": "\t"}
_MOST = 16
_ANCHORS = "bBAZz"


def example(pattern: str, favourites: Iterable[str] = ()) -> str:
    """One of `favourites` when it matches, else a short text that does."""
    try:
        expression = re.compile(pattern)
    except re.error:
        return next(iter(favourites), "x")
    # A long text could keep a bad expression busy for ever.
    fitting = (one for one in favourites if len(one) <= _MOST and expression.search(one))
    found = next(fitting, None)
    return _Walker(pattern).alternatives() if found is None else found


class _Walker:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def alternatives(self) -> str:
        """The first of the alternatives up to the end of the group."""
        first = self._sequence()
        while self._take("|"):
            self._sequence()
        return first

    def _sequence(self) -> str:
        parts: list[str] = []
        while (sign := self._peek()) and sign not in "|)":
            piece = self._piece()
            parts.append(piece * self._least_repetitions())
        return "".join(parts)

    def _piece(self) -> str:
        sign = self._next()
        if sign == "(":
            if self._take("?"):
                while (mark := self._peek()) and mark not in ":>)":
                    self._next()
                self._take(":") or self._take(">")
            inside = self.alternatives()
            self._take(")")
            return inside
        if sign == "[":
            return self._class()
        if sign == "\\":
            return self._escaped()
        if sign in "^$":
            return ""
        return "a" if sign == "." else sign

    def _escaped(self) -> str:
        sign = self._next()
        if sign in _ANCHORS:
            return ""
        if sign == "p" and self._take("{"):
            kind = ""
            while (mark := self._next()) and mark != "}":
                kind += mark
            return "1" if kind.startswith("N") else "A" if kind == "Lu" else "a"
        return _SHORTHANDS.get(sign, sign)

    def _class(self) -> str:
        negated = self._take("^")
        members: list[str] = []
        ranges: list[tuple[str, str]] = []
        while (sign := self._next()) and (sign != "]" or not members):
            members.append(self._escaped() if sign == "\\" else sign)
            following = self._pattern[self._at + 1 : self._at + 2]
            if self._peek() == "-" and following not in ("", "]"):
                self._next()
                ranges.append((members[-1], self._next()))
        if not negated:
            return next((one for one in members if one.isalnum()), members[0])
        others = (
            one
            for one in "a1A-_ x."
            if one not in members and not any(low <= one <= high for low, high in ranges)
        )
        return next(others, "~")

    def _least_repetitions(self) -> int:
        count = 1
        if self._take("*") or self._take("?"):
            count = 0
        elif self._take("+"):
            count = 1
        elif found := re.compile(r"\{(\d+)(?:,\d*)?\}").match(self._pattern, self._at):
            self._at = found.end()
            count = int(found[1])
        self._take("?") or self._take("+")
        return count

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _next(self) -> str:
        sign = self._peek()
        self._at += 1
        return sign

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True
