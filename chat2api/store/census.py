"""How many accounts a request could choose from, and why not the others; for its record, after a failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, not_, or_, select

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import Need
from chat2api.store import tables
from chat2api.store.opening import Store
from chat2api.store.traces import Candidates

log = logging.getLogger(__name__)

_FRESH_SECONDS = 1.0
# Counting looks at every account. However many there are, it takes no more than this part of the time.
_SHARE = 0.02
_MOST_KNOWN = 200

_a, _l = tables.accounts.c, tables.account_limits.c


class Census:
    """`most_running`: turns that an account without a bound of its own may run at once. `is_away` tells
    whether the database is known not to answer: then nobody is kept waiting for it."""

    def __init__(
        self,
        store: Store,
        most_running: int,
        clock: Callable[[], float] = time.monotonic,
        is_away: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store = store
        self._is_away = is_away
        self._most_running = most_running
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Need, tuple[float, Candidates]] = {}

    def of(self, need: Need) -> Candidates | None:
        """A second old at most, or a little more where there are very many; None when nobody can tell."""
        plain = replace(need, excluded=frozenset())
        if self._is_away():
            return None
        known = self._known.get(plain)
        began = self._clock()
        if known is None or began >= known[0]:
            try:
                counted = self._store.database.read(
                    lambda connection: self._count(connection, plain)
                )
            except StorageUnavailable:
                return None
            ended = self._clock()
            known = (ended + max(_FRESH_SECONDS, (ended - began) / _SHARE), counted)
            self._keep(plain, known)
        return replace(known[1], excluded=len(need.excluded))

    def _keep(self, need: Need, known: tuple[float, Candidates]) -> None:
        with self._lock:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[need] = known

    def _count(self, connection: Connection, need: Need) -> Candidates:
        """Each account falls under the first reason that holds."""
        now = self._store.now()
        limited = select(_l.account_id).where(_l.limit_key == need.model, _l.until > now)
        reasons: list[ColumnElement[bool]] = [
            _a.paused,
            _a.needs_login,
            _a.cooling_until > now,
            _a.account_id.in_(limited),
            _a.running >= func.coalesce(_a.concurrency, self._most_running),
        ]
        first = [
            and_(reason, *map(not_, reasons[:number])) for number, reason in enumerate(reasons)
        ]
        who = and_(_a.provider == need.provider, _a.removed_at.is_(None), _a.pooled)
        if need.only is not None:
            who = and_(who, _a.account_id == need.only)
        query = select(
            func.count(), *map(_number_of, first), _number_of(not_(or_(*reasons)))
        ).where(who)
        row = [int(number or 0) for number in connection.execute(query).one()]
        total, paused, needs_login, cooling, limited_now, busy, ready = row
        return Candidates(total, ready, busy, cooling, limited_now, needs_login, paused, 0)


def _number_of(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return func.sum(case((condition, 1), else_=0))
