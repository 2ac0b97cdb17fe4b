"""Which account is next, in SQL: by an index, whatever the number of accounts.

`selectable` is derived from an account's standing and kept in the row, so that those who rest are not
walked over; those whose rest ends are woken by `wake`. Limits on one model are looked up per candidate.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Connection,
    CursorResult,
    Dialect,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from chat2api.pool.refreshing import is_usable
from chat2api.pool.values import Account, Lease, Need
from chat2api.store import tables
from chat2api.store.account_rows import DAMAGED, FOR_A_TURN, AnyRow, account_of
from chat2api.store.vault import UnknownKey, Vault, WrongKey

log = logging.getLogger(__name__)

_MOST_UNFIT = 50
_GLANCES = 5
_NO_BOUND = 1_000_000

_a, _l = tables.accounts.c, tables.account_limits.c


@dataclass(frozen=True, slots=True)
class PickOptions:
    """`concurrency` 0 means no bound on an account's turns; `at_random` or strictly in turn."""

    concurrency: int = 10
    at_random: bool = True
    enable_limit: bool = True
    access_denied_seconds: float = 600.0

    @property
    def most_running(self) -> int:
        return self.concurrency or _NO_BOUND


# --- statements

# An account may have a bound of its own.
_MOST = func.coalesce(_a.concurrency, bindparam("most"))


def _candidates() -> Select[Any]:
    """Who may serve now; parameters: provider, model, now, most."""
    limited = exists().where(
        _l.account_id == _a.account_id,
        _l.limit_key == bindparam("model"),
        _l.until > bindparam("now"),
    )
    return (
        FOR_A_TURN.where(
            _a.provider == bindparam("provider"),
            _a.selectable,
            _a.running < _MOST,
            ~limited,
        )
        .limit(1)
        .with_for_update(skip_locked=True, of=tables.accounts)
    )


def _fresh(query: Select[Any]) -> Select[Any]:
    """Not after a hiccup: those are the second choice."""
    return query.where(_a.resting_until <= bindparam("now"))


_ONLY = _candidates().where(_a.account_id == bindparam("only"))
_IN_TURN = _candidates().order_by(_a.turn)
_FROM_DICE = _candidates().where(_a.dice >= bindparam("dice")).order_by(_a.dice)
_BELOW_DICE = _candidates().where(_a.dice < bindparam("dice")).order_by(_a.dice)
# Tried one after the other until somebody is found.
_AT_RANDOM = (_fresh(_FROM_DICE), _fresh(_BELOW_DICE), _FROM_DICE, _BELOW_DICE)
_STRICTLY = (_fresh(_IN_TURN), _IN_TURN)

_TAKE = (
    update(tables.accounts)
    .where(_a.account_id == bindparam("the_id"), _a.selectable, _a.running < _MOST)
    .values(running=_a.running + 1, last_used_at=bindparam("now"))
)
# Only what the order goes by is changed: each costs the upkeep of an index.
_TAKE_AT_RANDOM = _TAKE.values(dice=bindparam("new_dice"))
_TAKE_IN_TURN = _TAKE.values(turn=select(func.max(_a.turn) + 1).scalar_subquery())
_LEASE = tables.leases.insert().values(
    lease_id=bindparam("lease_id"),
    account_id=bindparam("account_id"),
    worker_id=bindparam("worker_id"),
    began_at=bindparam("now"),
)
# The row tells whose lease it is: an account may have been merged into another meanwhile.
_RELEASE = (
    tables.leases.delete()
    .where(tables.leases.c.lease_id == bindparam("the_lease"))
    .returning(tables.leases.c.account_id)
)
_ONE_LESS = case((_a.running > 1, _a.running - 1), else_=0)
_FREE = (
    update(tables.accounts).where(_a.account_id == bindparam("the_id")).values(running=_ONE_LESS)
)
# With what `policy.after` makes of a success: nearly every turn is one.
_FREE_AND_FORGIVE = _FREE.values(
    strikes=0,
    resting_until=0.0,
    reason=case((_a.selectable, ""), else_=_a.reason),
    reason_at=case((_a.selectable, None), else_=_a.reason_at),
)
_WAKE = (
    update(tables.accounts)
    .where(_a.wake_at <= bindparam("now"))
    .values(
        selectable=and_(_a.pooled, ~_a.paused, _a.removed_at.is_(None), ~_a.needs_login),
        wake_at=None,
    )
)


class _Hot:
    """A statement whose text is made once: on this path that costs more than the database does."""

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: tuple[str, ...] | None = (
            tuple(compiled.positiontup) if compiled.positional else None
        )
        self._fixed = dict(compiled.params)  # what is to be given is None in it

    def run(self, connection: Connection, parameters: Mapping[str, Any]) -> CursorResult[Any]:
        values = {**self._fixed, **parameters}
        if self._names is None:
            return connection.exec_driver_sql(self._sql, values)
        return connection.exec_driver_sql(self._sql, tuple([values[n] for n in self._names]))


class Picker:
    """Leases and gives back, inside transactions that the caller runs."""

    def __init__(
        self, dialect: Dialect, worker_id: str, options: PickOptions, vault: Vault
    ) -> None:
        self._worker_id = worker_id
        self._options = options
        self._vault = vault
        orders = _AT_RANDOM if options.at_random else _STRICTLY
        self._orders = orders
        self._hot_orders = tuple(_Hot(query, dialect) for query in orders)
        take = _TAKE_AT_RANDOM if options.at_random else _TAKE_IN_TURN
        self._take, self._lease = _Hot(take, dialect), _Hot(_LEASE, dialect)
        self._release, self._free = _Hot(_RELEASE, dialect), _Hot(_FREE, dialect)
        self._free_and_forgive = _Hot(_FREE_AND_FORGIVE, dialect)
        self._wake = _Hot(_WAKE, dialect)

    def wake(self, connection: Connection, now: float) -> None:
        """Those whose rest has ended may be picked again."""
        self._wake.run(connection, {"now": now})

    def pick(self, connection: Connection, need: Need, now: float) -> Lease | None:
        """Lease the next account, or None. Accounts that turn out to have ended are marked and passed."""
        excluded = set(need.excluded)
        for _ in range(_MOST_UNFIT):
            row = self._next(connection, need, excluded, now)
            if row is None:
                return None
            account = self._fit(connection, row, now)
            if account is None:
                excluded.add(row.account_id)
            elif self._taken(connection, row.account_id, now):
                return self._leased(connection, account, row.reason, now)
        return None

    def _next(
        self, connection: Connection, need: Need, excluded: set[str], now: float
    ) -> AnyRow | None:
        parameters = {
            "provider": need.provider,
            "model": need.model,
            "now": now,
            "most": self._options.most_running,
            "dice": random.random(),
        }
        if need.only is None and not excluded:
            answers = (query.run(connection, parameters) for query in self._hot_orders)
        else:
            orders = self._orders if need.only is None else (_ONLY,)
            rest = _a.account_id.not_in(sorted(excluded))
            answers = (
                connection.execute(query.where(rest), {**parameters, "only": need.only})
                for query in orders
            )
        return next((row for answer in answers if (row := answer.first()) is not None), None)

    def _taken(self, connection: Connection, account_id: str, now: float) -> bool:
        parameters = {
            "the_id": account_id,
            "most": self._options.most_running,
            "new_dice": random.random(),
            "now": now,
        }
        return self._take.run(connection, parameters).rowcount == 1

    def _leased(self, connection: Connection, account: Account, reason: str, now: float) -> Lease:
        lease = Lease(f"lease-{secrets.token_hex(8)}", account, reason)
        self._lease.run(
            connection,
            {
                "lease_id": lease.lease_id,
                "account_id": account.account_id,
                "worker_id": self._worker_id,
                "now": now,
            },
        )
        return lease

    def _fit(self, connection: Connection, row: AnyRow, now: float) -> Account | None:
        """The account if it can serve; else it is put aside with the reason."""
        try:
            usable = row.access_token is not None and is_usable(row.expires_at, now)
            if usable or row.renewable:
                return account_of(row, self._vault)
        except UnknownKey as error:
            # Another server may have a newer key, and this one not be restarted yet: nothing is written.
            log.error("an account is passed over: %s", error, extra={"account": row.account_id})
            return None
        except (WrongKey, TypeError):
            log.error("an account's data are damaged", extra={"account": row.account_id})
            put_aside(connection, row.account_id, DAMAGED, now)
            return None
        put_aside(connection, row.account_id, "its access token has ended", now)
        return None

    def release(self, connection: Connection, lease: Lease, *, forgive: bool = False) -> str:
        """Give the slot back, once: a lease that was cleared up after a silence is gone already.

        `forgive`: the turn succeeded, and earlier hiccups do not count any more. Returns the account's id.
        """
        row = self._release.run(connection, {"the_lease": lease.lease_id}).first()
        if row is None:
            return lease.account.account_id
        free = self._free_and_forgive if forgive else self._free
        free.run(connection, {"the_id": row[0]})
        return str(row[0])

    def glance(self, connection: Connection, need: Need, now: float) -> Account | None:
        """An account with a usable token, without taking anything."""
        parameters = {
            "provider": need.provider,
            "model": need.model,
            "now": now,
            "most": _NO_BOUND,
            "only": need.only,
        }
        query = _ONLY if need.only is not None else _IN_TURN
        query = query.where(
            _a.account_id.not_in(sorted(need.excluded)),
            tables.credentials.c.access_token.is_not(None),
            or_(
                tables.credentials.c.expires_at.is_(None),
                tables.credentials.c.expires_at > now + 60,
            ),
        )
        query = query.limit(_GLANCES).with_for_update(
            read=True, skip_locked=True, of=tables.accounts
        )
        for row in connection.execute(query, parameters).all():
            try:
                return account_of(row, self._vault)
            except WrongKey:
                continue  # told, and put aside, when it is picked
        return None


def stands_back(connection: Connection, account_id: str, now: float) -> bool:
    """Whether what is known against an account is of the past: it may be picked, for every model."""
    limits = select(_l.account_id).where(_l.account_id == account_id, _l.until > now)
    query = select(_a.account_id).where(
        _a.account_id == account_id, _a.selectable, _a.reason != "", ~limits.exists()
    )
    return connection.execute(query).first() is not None


def put_aside(connection: Connection, account_id: str, reason: str, now: float) -> None:
    connection.execute(
        update(tables.accounts)
        .where(_a.account_id == account_id)
        .values(needs_login=True, selectable=False, wake_at=None, reason=reason, reason_at=now)
    )
