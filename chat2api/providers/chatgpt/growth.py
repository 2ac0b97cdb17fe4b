"""Reads a growing text, handing out each character once (sheet 5.2, 5.3). Pure.

The text comes as a new `str` each time (snapshots) or as one `Rope` that is edited in place (deltas).
What was handed out cannot be taken back: after a rewrite nothing comes until the text begins again with
all that was settled, and is longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from chat2api.codecs.rope import Rope


@dataclass(frozen=True, slots=True)
class Growth:
    """New text. `rewound`: what was read but not settled is void, and `text` begins at the settled point."""

    text: str
    rewound: bool = False


_NONE = Growth("")


class TextReader:
    """Remembers what it has read of one text."""

    __slots__ = ("_aligned", "_lost", "_revision", "_seen", "_source")

    def __init__(self) -> None:
        self._seen = Rope()
        self._source: str | Rope | None = None
        self._revision = 0
        self._aligned = True  # the present text begins with all that was read
        self._lost = False  # it contradicts what was settled, and growing cannot mend that

    @property
    def taken(self) -> int:
        """Characters handed out so far."""
        return len(self._seen)

    def read(self, text: str | Rope, settled: int | None = None) -> Growth:
        """What is new in `text`. Only the first `settled` characters (default: all taken) are final.

        Costs what it returns while a Rope only grows; a rewrite or another `str` costs its length.
        """
        revision = text.revision if isinstance(text, Rope) else 0
        if text is not self._source or revision != self._revision:
            self._source, self._revision = text, revision
            self._aligned = self._lost = False
        elif self._aligned and isinstance(text, Rope):
            return self._grown(text)
        if self._aligned or self._lost:
            return _NONE
        return self._compared(text, self.taken if settled is None else settled)

    def _grown(self, text: Rope) -> Growth:
        taken = len(self._seen)
        if len(text) == taken:
            return _NONE
        fresh = text.tail(taken)
        self._seen.append(fresh)
        return Growth(fresh)

    def _compared(self, text: str | Rope, settled: int) -> Growth:
        """Find where `text`, not read before, goes on from what is known."""
        if len(text) < settled:
            return _NONE  # it may grow into what was settled yet
        whole, seen = str(text), str(self._seen)
        if whole.startswith(seen):
            self._take(whole)
            return Growth(whole[len(seen) :])
        if settled < len(seen) and whole.startswith(seen[:settled]):
            self._take(whole)
            return Growth(whole[settled:], rewound=True)
        self._lost = True
        return _NONE

    def _take(self, whole: str) -> None:
        self._seen = Rope(whole)
        self._aligned = True
