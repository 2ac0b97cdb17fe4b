"""Turns the marks of sources inside an answer into links, as the text streams by (sheet 5.9). Pure.

Two spellings: `【7†source】` (2024) and blocks of private-use characters, U+E200 kind U+E202 argument
U+E201 (2025 and later). A mark is held back until it is complete and its reference known; when that has
not come with the next event either, the mark's fallback stands.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from chat2api.chat.events import Citation
from chat2api.providers.chatgpt.references import Link, References

_OPEN, _CLOSE = "\ue200", "\ue201"
_SPECIAL = re.compile("[\ue200-\ue206【]")
_STRAYS = re.compile("[\ue200-\ue206]")

_MARK = re.compile(r"【(\d{1,4}(?::\d{1,4})?)†[^】\n]{0,120}】")
_MARK_BEGUN = re.compile(r"【(?:\d{1,4}(?::(?:\d{1,4})?)?(?:†[^】\n]{0,120})?)?\Z")

# A block longer than this was never one: its opening is dropped and the text let go.
_LONGEST_BLOCK = 65_536


@dataclass(slots=True)
class _Held:
    """Something that cannot go out yet: a mark (`number` set), a block, or text behind one of these."""

    start: int
    text: str
    is_reference: bool
    number: str | None = None
    waited: bool = False


class CitationScanner:
    """Raw text in, text with links out. Offsets count raw characters of this one text.

    `cited` collects the sources whose links went out; whoever reads it empties it.
    """

    __slots__ = (
        "_begun",
        "_block",
        "_block_size",
        "_block_start",
        "_offset",
        "_queue",
        "_references",
        "cited",
    )

    def __init__(self, references: References) -> None:
        self._references = references
        self._queue: deque[_Held] = deque()
        self._block: list[str] = []  # pieces of a block whose end has not come
        self._block_size = 0
        self._block_start = 0
        self._begun = ""  # what may become a mark
        self._offset = 0
        self.cited: list[Citation] = []

    @property
    def settled(self) -> int:
        """How many raw characters have gone out or were dropped for good."""
        if self._queue:
            return self._queue[0].start
        if self._block:
            return self._block_start
        return self._offset - len(self._begun)

    @property
    def waiting(self) -> bool:
        """Whether a complete mark waits for its reference."""
        return bool(self._queue)

    def scan(self, raw: str) -> str:
        """The text that can go out now. Call it once per event, with "" when only references changed."""
        busy = self._queue or self._block or self._begun
        if not busy and (raw.isascii() or not _SPECIAL.search(raw)):
            self._offset += len(raw)
            return raw
        out: list[str] = []
        self._cut(raw, out)
        self._release(out, last=False)
        for held in self._queue:
            held.waited = True
        return "".join(out)

    def conclude(self) -> str:
        """No more text is expected: what waits gets its fallback, an open block is dropped."""
        out: list[str] = []
        begun, self._begun = self._begun, ""
        self._let_go(begun, self._offset - len(begun), out)
        self._block.clear()
        self._release(out, last=True)
        return "".join(out)

    def rewind(self) -> None:
        """Forget what is held: the text is coming again from the settled point."""
        self._offset = self.settled
        self._queue.clear()
        self._block.clear()
        self._begun = ""

    # --- cutting

    def _cut(self, raw: str, out: list[str]) -> None:
        text = self._begun + raw
        base = self._offset - len(self._begun)
        self._begun = ""
        self._offset += len(raw)
        position = 0
        while position < len(text):
            if self._block:
                position = self._fill_block(text, position, base, out)
                continue
            special = _SPECIAL.search(text, position)
            end = special.start() if special else len(text)
            self._let_go(text[position:end], base + position, out)
            position = end if special is None else self._enter(text, end, base, out)

    def _enter(self, text: str, at: int, base: int, out: list[str]) -> int:
        """Deal with the special character at `at`; the position to go on from."""
        if text[at] == _OPEN:
            self._block = [_OPEN]
            self._block_size = 1
            self._block_start = base + at
            return at + 1
        if text[at] != "【":
            return at + 1  # a stray private-use character
        mark = _MARK.match(text, at)
        if mark is not None:
            self._queue.append(_Held(base + at, mark[0], True, number=mark[1]))
            return mark.end()
        if _MARK_BEGUN.match(text, at):
            self._begun = text[at:]
            return len(text)
        self._let_go("【", base + at, out)
        return at + 1

    def _fill_block(self, text: str, position: int, base: int, out: list[str]) -> int:
        end = text.find(_CLOSE, position)
        stop = len(text) if end < 0 else end + 1
        self._block.append(text[position:stop])
        self._block_size += stop - position
        if end >= 0:
            # An opening inside a block means that the first one was never closed.
            whole = "".join(self._block)
            whole = whole[whole.rindex(_OPEN) :]
            self._queue.append(_Held(self._block_start, whole, True))
            self._block.clear()
        elif self._block_size > _LONGEST_BLOCK:
            whole = "".join(self._block)
            self._block.clear()
            self._let_go(_STRAYS.sub("", whole), self._block_start, out)
        return stop

    def _let_go(self, text: str, start: int, out: list[str]) -> None:
        """Text that means itself: out at once, unless something before it still waits."""
        if not text:
            return
        if self._queue:
            self._queue.append(_Held(start, text, False))
        else:
            out.append(text)

    # --- releasing

    def _release(self, out: list[str], *, last: bool) -> None:
        while self._queue:
            held = self._queue[0]
            if not held.is_reference:
                out.append(held.text)
            else:
                link = self._resolve(held)
                if link is None and not (held.waited or last):
                    return
                out.append(self._fallback(held, link))
            self._queue.popleft()

    def _resolve(self, held: _Held) -> Link | None:
        if held.number is not None:
            return self._references.mark(held.number, held.start)
        return self._references.block(held.text)

    def _fallback(self, held: _Held, link: Link | None) -> str:
        if link is None:
            if held.number is not None:
                return held.text  # it may be the author's own brackets: nothing is lost
            link = self._references.searched(held.text)
        self.cited.extend(link.sources)
        return link.text
