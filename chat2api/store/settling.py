"""What turns say about their accounts, written into the rows by the rules of `pool.policy`."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Connection, select, update

from chat2api.pool.policy import Standing, after
from chat2api.pool.values import Outcome
from chat2api.store import tables
from chat2api.store.account_rows import DAMAGED, AnyRow, selectable, standing_of
from chat2api.store.picking import PickOptions, put_aside

_a, _l = tables.accounts.c, tables.account_limits.c


def settle(
    connection: Connection, account_id: str, outcome: Outcome, now: float, options: PickOptions
) -> None:
    """Write down what a turn said about its account (`pool.policy`)."""
    row = connection.execute(
        select(tables.accounts).where(_a.account_id == account_id).with_for_update()
    ).first()
    if row is None:
        return
    mine = (_l.account_id == account_id) & (_l.limit_key == outcome.model)
    limits = {
        limit.limit_key: limit.until
        for limit in connection.execute(select(tables.account_limits).where(mine))
    }
    before = standing_of(row, limits)
    try:
        standing = after(
            before,
            outcome,
            now,
            jitter=random.random(),
            enable_limit=options.enable_limit,
            egress_seconds=options.access_denied_seconds,
        )
    except TypeError:  # a column that holds no number (fault matrix E14)
        put_aside(connection, account_id, DAMAGED, now)
        return
    if standing == before:
        return
    _write_standing(connection, row, standing, now)
    until = dict(standing.model_limits).get(outcome.model)
    if until is not None and until != limits.get(outcome.model):
        connection.execute(tables.account_limits.delete().where(mine))
        connection.execute(
            tables.account_limits.insert().values(
                account_id=account_id, limit_key=outcome.model, until=until
            )
        )


def _write_standing(connection: Connection, row: AnyRow, standing: Standing, now: float) -> None:
    values: dict[str, Any] = {
        "cooling_until": standing.cooling_until,
        "limited": standing.limited,
        "resting_until": standing.resting_until,
        "strikes": standing.strikes,
        "needs_login": standing.needs_login,
        "reason": standing.reason,
        "reason_at": now,
    }
    connection.execute(
        update(tables.accounts)
        .where(_a.account_id == row.account_id)
        .values(values | selectable(dict(row._mapping) | values, now))
    )
