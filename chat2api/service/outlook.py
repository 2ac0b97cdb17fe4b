"""How long the pool will stay as it is, remembered for some seconds: finding out looks at all accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.pool.forecast import Forecast, Return, Standing, forecast
from chat2api.store.pool_facts import PoolFactsBook
from chat2api.store.usage_hours import UsageHours

_FRESH_SECONDS = 10.0
_DAY_SECONDS = 86_400.0
SOON_SECONDS = 2 * _DAY_SECONDS
"""Accounts that cannot be renewed are told of this long before their end."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """`next_return` is the next moment at which accounts come back, `pace` the requests of the last hour,
    `ending` how many accounts end soon and cannot be renewed."""

    forecast: Forecast
    next_return: Return | None
    pace: int
    ending: int


class Outlooks:
    """Made once per process. `now` in epoch seconds."""

    def __init__(self, facts: PoolFactsBook, usage: UsageHours, now: Callable[[], float]) -> None:
        self._facts = facts
        self._usage = usage
        self._now = now
        self._lock = threading.Lock()
        self._known: tuple[float, Outlook] | None = None

    def look(self) -> Outlook:
        """Ten seconds old at most. Raises StorageUnavailable."""
        now = self._now()
        with self._lock:
            known = self._known
        if known is not None and 0 <= now - known[0] < _FRESH_SECONDS:
            return known[1]
        outlook = self._found(now)
        with self._lock:
            self._known = (now, outlook)
        return outlook

    def _found(self, now: float) -> Outlook:
        facts = self._facts.read(since=now - _DAY_SECONDS, ends_within=SOON_SECONDS)
        pace = self._usage.last_hour()
        hour = int(now // 3600)
        served = self._usage.totals(hour - 24, hour + 1).requests
        standing = Standing(
            pace,
            facts.known_left,
            facts.unknown,
            served / facts.limits_met if facts.limits_met else None,
            facts.returns,
        )
        return Outlook(forecast(standing, now), next(iter(facts.returns), None), pace, facts.ending)
