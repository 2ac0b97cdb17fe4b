"""How the pool stands, remembered for a moment: every page tells it, and counting looks at all accounts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from chat2api.pool.values import PoolCounts
from chat2api.store.account_book import AccountBook

_FRESH_SECONDS = 2.0


class PoolSummary:
    """Made once per process."""

    def __init__(self, book: AccountBook, clock: Callable[[], float] = time.monotonic) -> None:
        self._book = book
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, PoolCounts] | None = None

    def counts(self) -> PoolCounts:
        """Two seconds old at most. Raises StorageUnavailable."""
        with self._lock:
            known = self._known
        now = self._clock()
        if known is not None and now < known[0]:
            return known[1]
        counts = self._book.counts()
        with self._lock:
            self._known = (now + _FRESH_SECONDS, counts)
        return counts

    def forget(self) -> None:
        """After a change by a person, who is to see it at once."""
        with self._lock:
            self._known = None
