"""When there is nobody: who could serve later, and when. Looks at many rows; asked only after a pick failed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, case, exists, func, or_, select

from chat2api.errors import NoAccountAvailable, PoolError, PoolExhausted
from chat2api.pool.values import Need
from chat2api.store import tables

_a, _l = tables.accounts.c, tables.account_limits.c
_IN_POOL = and_(_a.removed_at.is_(None), _a.pooled, ~_a.paused)
_CAN_EVER = and_(_IN_POOL, ~_a.needs_login)


def refusal(connection: Connection, need: Need, now: float) -> PoolError | None:
    """Why nobody can be had now and waiting for a slot would not help; None when somebody is only busy."""
    mine = and_(_a.provider == need.provider, _CAN_EVER)
    if need.only is not None:
        mine = and_(mine, _a.account_id == need.only)
    others = and_(mine, _a.account_id.not_in(sorted(need.excluded)))
    if _somebody_now(connection, others, need, now):
        return None
    earliest = _earliest(connection, others, need, now)
    if earliest is None and need.excluded:
        # Nobody is left to try. If those tried are merely limited, that is what there is to say.
        if _somebody_now(connection, mine, need, now):
            return NoAccountAvailable("No other account is available for this request.")
        earliest = _earliest(connection, mine, need, now)
    if earliest is None:
        return _nobody(connection, need)
    return PoolExhausted(
        "All accounts are limited or cooling down; try again later.",
        retry_after=max(1.0, earliest - now),
    )


def _somebody_now(connection: Connection, who: Any, need: Need, now: float) -> bool:
    query = (
        select(_a.account_id)
        .where(who, or_(_a.selectable, _a.wake_at <= now), ~_limited(need, now))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def _limited(need: Need, now: float) -> Any:
    return exists().where(
        _l.account_id == _a.account_id, _l.limit_key == need.model, _l.until > now
    )


def _earliest(connection: Connection, who: Any, need: Need, now: float) -> float | None:
    limit = func.coalesce(_l.until, 0.0)
    until = case((limit > _a.cooling_until, limit), else_=_a.cooling_until)
    joined = tables.accounts.outerjoin(
        tables.account_limits,
        and_(_l.account_id == _a.account_id, _l.limit_key == need.model, _l.until > now),
    )
    query = select(func.min(until)).select_from(joined).where(who)
    earliest: float | None = connection.execute(query).scalar()
    return earliest


def _nobody(connection: Connection, need: Need) -> PoolError:
    mine = and_(_a.provider == need.provider, _a.removed_at.is_(None), _a.pooled)
    if need.only is not None:
        mine = and_(mine, _a.account_id == need.only)
    somebody = connection.execute(select(_a.account_id).where(mine).limit(1)).first()
    if somebody is None:
        return NoAccountAvailable("No account is available for this request.")
    return NoAccountAvailable("No account can be used: all need a new login, or are paused.")
