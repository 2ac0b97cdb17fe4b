"""What the overview asks of the pool: what is left, who comes back when, what will end soon."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, func, or_, select

from chat2api.pool.forecast import Return
from chat2api.pool.refreshing import USABLE_BEFORE_END
from chat2api.store import desk_tables, tables
from chat2api.store.account_rows import RENEWABLE
from chat2api.store.opening import Store

_a, _c, _l = tables.accounts.c, tables.credentials.c, tables.account_limits.c
_MINUTE = 60.0
_MOST_RETURNS = 500
_NO_QUOTA = "{}"


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """Of accounts in the pool that are not paused and need no login.

    `known_left`: requests left, of usable ones whose upstream told; `unknown`: how many usable ones' did
    not. `limits_met`: how often an account met a limit since `since`. `ending`: accounts that end within
    the given time and cannot be renewed.
    """

    known_left: tuple[int, ...]
    unknown: int
    returns: tuple[Return, ...]
    limits_met: int
    ending: int


@dataclass(frozen=True, slots=True)
class ModelFree:
    """How many accounts could serve a model now, of the `usable` ones that could serve some model, and
    when the next of the others comes back."""

    free: int
    usable: int
    back_at: float


class PoolFactsBook:
    """Every method raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, *, since: float, ends_within: float) -> PoolFacts:
        now = self._store.now()
        in_pool = _a.removed_at.is_(None) & _a.pooled & ~_a.paused & ~_a.needs_login
        joined = tables.accounts.join(tables.credentials, _c.credential_id == _a.credential_id)
        lives = or_(_c.expires_at.is_(None), _c.expires_at > now + USABLE_BEFORE_END, RENEWABLE)
        usable = in_pool & (_a.cooling_until <= now) & lives
        told = select(_a.quota).select_from(joined).where(usable, _a.quota != _NO_QUOTA)
        untold = select(func.count()).select_from(joined).where(usable, _a.quota == _NO_QUOTA)
        minute = func.round(_a.cooling_until / _MINUTE)
        back = (
            select(func.max(_a.cooling_until), func.count())
            .where(in_pool, _a.cooling_until > now)
            .group_by(minute)
            .order_by(minute)
            .limit(_MOST_RETURNS)
        )
        events = desk_tables.account_events.c
        met = select(func.count()).where(events.at > since, events.kind == "limited")
        ending = (
            select(func.count())
            .select_from(joined)
            .where(in_pool, ~RENEWABLE, _c.expires_at > now, _c.expires_at <= now + ends_within)
        )

        def work(connection: Connection) -> PoolFacts:
            lefts = [_left(row[0]) for row in connection.execute(told)]
            return PoolFacts(
                known_left=tuple(left for left in lefts if left is not None),
                unknown=int(connection.execute(untold).scalar_one()) + lefts.count(None),
                returns=tuple(
                    Return(float(row[0]), int(row[1])) for row in connection.execute(back)
                ),
                limits_met=int(connection.execute(met).scalar_one()),
                ending=int(connection.execute(ending).scalar_one()),
            )

        return self._store.database.read(work)

    def limited(self, limit_keys: Sequence[str]) -> dict[str, ModelFree]:
        """Those of these models that some account is limited for now."""
        now = self._store.now()
        query = select(_l.limit_key).distinct().where(_l.limit_key.in_(limit_keys), _l.until > now)

        def work(connection: Connection) -> dict[str, ModelFree]:
            keys = connection.execute(query).scalars().all()
            return {key: _free(connection, key, now) for key in keys}

        return self._store.database.read(work)


def _free(connection: Connection, limit_key: str, now: float) -> ModelFree:
    limit = func.coalesce(_l.until, 0.0)
    until = case((limit > _a.cooling_until, limit), else_=_a.cooling_until)
    joined = tables.accounts.join(
        tables.credentials, _c.credential_id == _a.credential_id
    ).outerjoin(
        tables.account_limits,
        and_(_l.account_id == _a.account_id, _l.limit_key == limit_key, _l.until > now),
    )
    lives = or_(_c.expires_at.is_(None), _c.expires_at > now + USABLE_BEFORE_END, RENEWABLE)
    could = and_(_a.removed_at.is_(None), _a.pooled, ~_a.paused, ~_a.needs_login, lives)
    query = (
        select(
            func.sum(case((until <= now, 1), else_=0)),
            func.sum(case((_a.cooling_until <= now, 1), else_=0)),
            func.min(case((until > now, until))),
        )
        .select_from(joined)
        .where(could)
    )
    free, usable, back_at = connection.execute(query).one()
    return ModelFree(int(free or 0), int(usable or 0), float(back_at or now))


def _left(text: str) -> int | None:
    """The smallest number of requests that a window of the account leaves; None when none tells."""
    try:
        windows = json.loads(text).get("windows", [])
        lefts = [window.get("remaining") for window in windows]
    except (ValueError, AttributeError):
        return None  # damaged, or written by a later version
    return min((left for left in lefts if isinstance(left, int)), default=None)
