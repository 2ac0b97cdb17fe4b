"""How the pool stands, remembered for a moment: every page tells it, and counting looks at all accounts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.pool.values import PoolCounts
from chat2api.store.account_book import AccountBook
from chat2api.store.pool_facts import PoolFactsBook
from chat2api.store.usage_hours import UsageHours

_FRESH_SECONDS = 2.0
_MOST_NAMES = 8
_LEAST_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class LimitedModel:
    """A model that is asked for, and that some account is limited for. `model` as the callers spell it;
    `is_first`: none is asked for more often. The rest as in `store.pool_facts.ModelFree`."""

    model: str
    is_first: bool
    free: int
    usable: int
    back_at: float


class PoolSummary:
    """Made once per process. `now` in epoch seconds."""

    def __init__(
        self,
        book: AccountBook,
        facts: PoolFactsBook,
        usage: UsageHours,
        now: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._facts = facts
        self._usage = usage
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[float, PoolCounts] | None = None
        self._known_limited: tuple[float, list[LimitedModel]] | None = None

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

    def limited(self, key_of: Callable[[str], str]) -> list[LimitedModel]:
        """Of the models asked for in this hour and the last, but for the rare ones; the most asked first.

        `key_of` gives the key that limits of a model are kept under. As old as `counts`. Raises
        StorageUnavailable.
        """
        with self._lock:
            known = self._known_limited
        now = self._clock()
        if known is not None and now < known[0]:
            return known[1]
        found = self._found(key_of)
        with self._lock:
            self._known_limited = (now + _FRESH_SECONDS, found)
        return found

    def _found(self, key_of: Callable[[str], str]) -> list[LimitedModel]:
        hour = int(self._now() // 3600)
        tops = self._usage.tops("model", hour - 1, hour + 1, _MOST_NAMES)
        requests: Counter[str] = Counter()
        names: dict[str, str] = {}
        for top in tops:
            if top.value:  # what is no completion has no model
                key = key_of(top.value)
                names.setdefault(key, top.value)
                requests[key] += top.requests
        least = requests.total() * _LEAST_SHARE
        keys = [key for key, number in requests.most_common() if number >= least]
        facts = self._facts.limited(keys) if keys else {}
        return [
            LimitedModel(
                names[key], key == keys[0], facts[key].free, facts[key].usable, facts[key].back_at
            )
            for key in keys
            if key in facts
        ]

    def forget(self) -> None:
        """After a change by a person, who is to see it at once."""
        with self._lock:
            self._known = self._known_limited = None
