"""A text that grows at its end without copying what it has.

A stream appends to one text a hundred thousand times; joining a `str` each time would be quadratic.
"""

from __future__ import annotations


class Rope:
    """Append, truncate, read from an offset. Lengths and offsets are in characters (code points).

    `revision` changes with every edit that is not an append: a reader that remembers it knows whether
    what it has read still stands.
    """

    __slots__ = ("_length", "_pieces", "revision")

    def __init__(self, text: str = "") -> None:
        self._pieces = [text]
        self._length = len(text)
        self.revision = 0

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def __repr__(self) -> str:
        return f"Rope({str(self)!r})"

    def append(self, text: str) -> None:
        if text:
            self._pieces.append(text)
            self._length += len(text)

    def truncate(self, length: int) -> None:
        """Keep the first `length` characters; nothing happens when there are no more than that."""
        if length >= self._length:
            return
        length = max(length, 0)
        self.revision += 1
        while self._length - len(self._pieces[-1]) > length:
            self._length -= len(self._pieces.pop())
        last = self._pieces[-1]
        self._pieces[-1] = last[: len(last) - (self._length - length)]
        self._length = length

    def tail(self, offset: int) -> str:
        """Everything from `offset` on. Costs what it returns, not what the rope holds."""
        pieces = self._pieces
        first = len(pieces) - 1
        start = self._length - len(pieces[first])
        if offset == start:
            return pieces[first]
        while start > offset and first > 0:
            first -= 1
            start -= len(pieces[first])
        return "".join(pieces[first:])[max(offset - start, 0) :]
