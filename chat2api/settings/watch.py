"""Notices that a file's content changed, by looking."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from chat2api.settings.yaml_file import revision_of

# A file changed again within the clock's step keeps its time: a fresh one is read in any case.
_FRESH_NS = 2_000_000_000
_EMPTY = revision_of(b"")
_Stat = tuple[int, int, int]


class FileWatch:
    """`changed()` costs one stat while nothing happens.

    `revision` is that of the content already known; None for a file that is not there. `clock` gives
    the time of day in nanoseconds, as files have it.
    """

    def __init__(
        self, path: Path, revision: str | None, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.path = path
        self._clock = clock
        self._revision = revision
        self._stat: _Stat | None = None
        self._is_settled = False

    @property
    def revision(self) -> str | None:
        """That of the content seen last."""
        return self._revision

    @property
    def is_empty(self) -> bool:
        """Whether the last look found a file without a byte."""
        return self._revision == _EMPTY

    def forget(self) -> None:
        """The next look takes whatever is there for a change."""
        self._revision = None
        self._is_settled = False

    @property
    def is_there(self) -> bool:
        """Whether the last look found a readable file."""
        return self._revision is not None

    def changed(self) -> bool:
        """Whether the content is another than at the last look; what is seen now counts as known."""
        stat = self._look()
        if self._is_settled and stat == self._stat:
            return False
        self._stat = stat
        self._is_settled = stat is None or self._clock() - stat[0] > _FRESH_NS
        before, self._revision = self._revision, self._read()
        return self._revision != before

    def _look(self) -> _Stat | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> str | None:
        try:
            return revision_of(self.path.read_bytes())
        except OSError:
            return None
