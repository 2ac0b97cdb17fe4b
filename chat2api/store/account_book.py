"""The accounts as people see and change them: listing, counting, pausing, removing.

Removing is taking out of the pool; the tokens rest sealed for a while, so that it can be undone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, and_, bindparam, case, exists, func, or_, select, true, update

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.refreshing import USABLE_BEFORE_END
from chat2api.pool.values import Account, AccountRow, PoolCounts
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_events import AccountEvents
from chat2api.store.account_rows import (
    FOR_A_TURN,
    FOR_PEOPLE,
    RENEWABLE,
    AnyRow,
    account_of,
    damaged_row,
    open_or_log,
    row_for_people,
    selectable,
)
from chat2api.store.opening import Store

log = logging.getLogger(__name__)

KEPT_REMOVED_SECONDS = 86_400.0
_IDS_AT_ONCE = 500
_BREATH = 50

T = TypeVar("T")

_a, _c, _l = tables.accounts.c, tables.credentials.c, tables.account_limits.c

_ALIVE = and_(_a.removed_at.is_(None), _a.pooled)
_FAILED = or_(_a.needs_login, and_(_c.dead_hash.is_not(None), _c.dead_hash == _c.refresh_hash))

# What `selectable` looks at.
_DERIVED_FROM = select(
    _a.account_id, _a.pooled, _a.paused, _a.removed_at, _a.needs_login, _a.cooling_until
)

Which = Literal["all", "failed"]


@dataclass(frozen=True, slots=True)
class ExportedAccount:
    """An account with its tokens, for an export that somebody asked for on purpose."""

    account_id: str
    label: str
    plan: str
    kind: str
    workspace_id: str | None
    access_token: Secret | None
    refresh_token: Secret | None
    id_token: Secret | None
    proxy: Secret | None
    refreshed_at: float | None
    failed: bool
    note: str = ""


class AccountBook:
    """Everything but turns and renewals. All methods raise StorageUnavailable."""

    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe
        self._events = AccountEvents(store, breathe)

    # --- looking

    def counts(self) -> PoolCounts:
        """Of the accounts in the pool; seats that serve seeds only do not count."""
        now = self._store.now()
        usable = and_(
            ~_a.needs_login,
            ~_a.paused,
            _a.cooling_until <= now,
            or_(_c.access_token.is_not(None), RENEWABLE),
            or_(_c.expires_at.is_(None), _c.expires_at > now + USABLE_BEFORE_END, RENEWABLE),
        )
        cooling = and_(~_a.needs_login, ~_a.paused, _a.cooling_until > now)
        query = (
            select(
                func.count(),
                _number_of(usable),
                _number_of(cooling),
                _number_of(_FAILED),
                _number_of(_a.paused),
            )
            .select_from(tables.accounts)
            .join(tables.credentials, _c.credential_id == _a.credential_id)
            .where(_ALIVE)
        )
        row = self._store.database.read(lambda connection: connection.execute(query).one())
        return PoolCounts(*(int(number or 0) for number in row))

    def page(
        self, *, after_position: int = -1, most: int = 200, which: Which = "all"
    ) -> list[AccountRow]:
        """In the order they came, after a position; `most` at once."""
        query = FOR_PEOPLE.where(_a.removed_at.is_(None), _a.position > after_position)
        if which == "failed":
            query = query.where(_FAILED)
        return self._rows(query.order_by(_a.position).limit(most))

    def everything(self, which: Which = "all") -> list[AccountRow]:
        """The whole list; for the command line and small pools."""
        query = FOR_PEOPLE.where(_a.removed_at.is_(None))
        if which == "failed":
            query = query.where(_FAILED)
        return self._rows(query.order_by(_a.position))

    def find(self, account_id: str) -> AccountRow | None:
        rows = self._rows(FOR_PEOPLE.where(_a.account_id == account_id))
        return rows[0] if rows else None

    def rows_of(self, account_ids: Sequence[str]) -> list[AccountRow]:
        """These, in this order, removed ones included; those that are not there are left out."""
        found: dict[str, AccountRow] = {}
        for start in range(0, len(account_ids), _IDS_AT_ONCE):
            some = account_ids[start : start + _IDS_AT_ONCE]
            rows = self._rows(FOR_PEOPLE.where(_a.account_id.in_(some)))
            found |= {row.account_id: row for row in rows}
        return [found[one] for one in account_ids if one in found]

    def account(self, account_id: str) -> Account | None:
        """As a turn is given it, its access token opened; None when it is not there. Raises WrongKey."""
        query = FOR_A_TURN.where(_a.account_id == account_id, _a.removed_at.is_(None))
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else account_of(row, self._store.vault)

    def removed(self, most: int = 200) -> list[AccountRow]:
        """Removed lately, the newest first."""
        query = FOR_PEOPLE.where(_a.removed_at.is_not(None))
        return self._rows(query.order_by(_a.removed_at.desc()).limit(most))

    def credential_of(self, account_id: str) -> tuple[str, int] | None:
        """Its credential's id and version, for renewing it."""
        query = (
            select(_c.credential_id, _c.version)
            .join(tables.accounts, _a.credential_id == _c.credential_id)
            .where(_a.account_id == account_id, _a.removed_at.is_(None))
        )
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else (row.credential_id, row.version)

    def export(self, account_ids: Iterable[str] | None = None) -> list[ExportedAccount]:
        """With their tokens. The caller has made sure that this is wanted, and notes it."""
        query = select(
            tables.accounts,
            *[column for column in tables.credentials.c if column.name != "credential_id"],
            _FAILED.label("failed"),
        ).join(tables.credentials, _c.credential_id == _a.credential_id)
        query = query.where(_a.removed_at.is_(None)).order_by(_a.position)
        if account_ids is not None:
            query = query.where(_a.account_id.in_(list(account_ids)))
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [self._exported(row) for row in self._gently(rows)]

    def _exported(self, row: AnyRow) -> ExportedAccount:
        """What cannot be opened is left out; the others must come out all the same (E14)."""
        opened = partial(open_or_log, vault=self._store.vault)
        return ExportedAccount(
            row.account_id,
            row.label,
            row.plan,
            row.kind,
            row.workspace_id,
            opened(row.access_token),
            opened(row.refresh_token),
            opened(row.id_token),
            opened(row.proxy),
            row.refreshed_at,
            bool(row.failed),
            row.note,
        )

    def _rows(self, query: Any) -> list[AccountRow]:
        now = self._store.now()

        def work(connection: Connection) -> tuple[Sequence[AnyRow], dict[str, dict[str, float]]]:
            rows = connection.execute(query).all()
            return rows, _limits_of(connection, [row.account_id for row in rows], now)

        rows, limits = self._store.database.read(work)
        return [self._row(row, limits.get(row.account_id, {}), now) for row in self._gently(rows)]

    def _gently(self, rows: Sequence[T]) -> Iterator[T]:
        """Opening the tokens of ten thousand takes seconds, in which this process has other requests."""
        for index, row in enumerate(rows, 1):
            yield row
            if index % _BREATH == 0:
                self._breathe(BREATH_SECONDS)

    def _row(self, row: AnyRow, limits: Mapping[str, float], now: float) -> AccountRow:
        try:
            return row_for_people(row, limits, self._store.vault, now)
        except (TypeError, ValueError):
            log.error("an account's data are damaged", extra={"account": row.account_id})
            return damaged_row(row)

    # --- changing

    def remove(self, account_ids: Sequence[str]) -> int:
        """Out of the pool; turns that run on them end normally. Returns how many were there."""
        return self._change(account_ids, {"removed_at": self._store.now()}, _a.removed_at.is_(None))

    def remove_all(self) -> int:
        """The whole pool, the failed ones included."""
        now = self._store.now()
        done = update(tables.accounts).where(_a.removed_at.is_(None))
        return self._store.database.write(
            lambda connection: (
                connection.execute(
                    done.values(removed_at=now, selectable=False, wake_at=None)
                ).rowcount
            ),
            durable=True,
        )

    def restore(self, account_ids: Sequence[str]) -> int:
        return self._change(account_ids, {"removed_at": None}, _a.removed_at.is_not(None))

    def forget(self, account_ids: Sequence[str]) -> int:
        """For good, tokens included, whether they were removed before or not. How many were there."""
        count = self._change(account_ids, {"removed_at": 0.0}, true())
        self.purge()
        return count

    def pause(self, account_ids: Sequence[str]) -> int:
        """Not used until resumed, and still renewed meanwhile."""
        return self._change(account_ids, {"paused": True}, ~_a.paused)

    def resume(self, account_ids: Sequence[str]) -> int:
        return self._change(account_ids, {"paused": False}, _a.paused)

    def lift(self, account_ids: Sequence[str]) -> int:
        """Forget limits and rests, without asking the upstream. A needed login stays needed."""

        def also(connection: Connection, some: Sequence[str]) -> None:
            connection.execute(tables.account_limits.delete().where(_l.account_id.in_(some)))

        changes = {"cooling_until": 0.0, "limited": False, "resting_until": 0.0, "strikes": 0}
        return self._change(account_ids, changes, _a.removed_at.is_(None), also)

    def try_again(self, account_ids: Sequence[str]) -> int:
        """Believe refused tokens once more, until they are refused again; how many accounts had failed."""
        now = self._store.now()
        refused = _c.dead_hash.is_not(None) & (_c.dead_hash == _c.refresh_hash)
        failed = _a.needs_login | _a.credential_id.in_(select(_c.credential_id).where(refused))

        def also(connection: Connection, some: Sequence[str]) -> None:
            theirs = select(_a.credential_id).where(_a.account_id.in_(some))
            fresh = {"dead_hash": None, "failures": 0, "refresh_error": "", "next_refresh_at": now}
            connection.execute(
                update(tables.credentials)
                .where(_c.credential_id.in_(theirs), refused)
                .values(fresh)
            )

        changes = {"needs_login": False, "reason": "", "reason_at": None, "cooling_until": 0.0}
        return self._change(account_ids, changes, _a.removed_at.is_(None) & failed, also)

    def describe(self, account_id: str, changes: dict[str, Any]) -> bool:
        """Set `note` or `proxy` (a Secret, or None for the global one)."""
        values = {name: value for name, value in changes.items() if name == "note"}
        if "proxy" in changes:
            values["proxy"] = self._store.vault.seal_or_none(changes["proxy"])
            values["proxy_hash"] = self._store.vault.hash_or_none(changes["proxy"])
        return self._change([account_id], values, _a.removed_at.is_(None)) == 1

    def purge(self) -> int:
        """Forget for good, tokens and history included, what was removed longer than a day ago."""
        old = self._store.now() - KEPT_REMOVED_SECONDS
        gone = (
            select(_a.account_id, _a.credential_id)
            .where(_a.removed_at < old)
            .limit(_IDS_AT_ONCE)
            .with_for_update()
        )
        unused = ~exists().where(_a.credential_id == _c.credential_id)

        def work(connection: Connection) -> list[str]:
            rows = connection.execute(gone).all()
            ids, credential_ids = [row[0] for row in rows], [row[1] for row in rows]
            connection.execute(tables.accounts.delete().where(_a.account_id.in_(ids)))
            connection.execute(
                tables.credentials.delete().where(_c.credential_id.in_(credential_ids), unused)
            )
            return ids

        count = 0
        while some := self._store.database.write(work):
            self._events.forget(some)
            count += len(some)
        return count

    def _change(
        self,
        account_ids: Sequence[str],
        changes: dict[str, Any],
        where: Any,
        also: Callable[[Connection, Sequence[str]], None] | None = None,
    ) -> int:
        """Set columns where the condition holds, and derive again who may be picked.

        Some hundreds in a transaction: others want to write, and to be served, while thousands are changed.
        """
        total = 0
        for start in range(0, len(account_ids), _IDS_AT_ONCE):
            some = list(account_ids[start : start + _IDS_AT_ONCE])
            total += self._store.database.write(
                lambda connection, some=some: self._change_some(  # type: ignore[misc]
                    connection, some, changes, where, also
                ),
                durable=True,
            )
            self._breathe(BREATH_SECONDS)
        return total

    def _change_some(
        self,
        connection: Connection,
        some: Sequence[str],
        changes: dict[str, Any],
        where: Any,
        also: Callable[[Connection, Sequence[str]], None] | None,
    ) -> int:
        query = _DERIVED_FROM.where(_a.account_id.in_(some), where)
        rows = connection.execute(query.order_by(_a.account_id).with_for_update()).all()
        now = self._store.now()
        fresh = [
            {"this": row.account_id, **changes, **selectable(dict(row._mapping) | changes, now)}
            for row in rows
        ]
        if fresh:
            one = update(tables.accounts).where(_a.account_id == bindparam("this"))
            connection.execute(one, fresh)
        if also is not None:
            also(connection, some)
        return len(rows)


def _limits_of(
    connection: Connection, account_ids: Sequence[str], now: float
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for start in range(0, len(account_ids), _IDS_AT_ONCE):
        some = account_ids[start : start + _IDS_AT_ONCE]
        query = select(tables.account_limits).where(_l.account_id.in_(some), _l.until > now)
        for row in connection.execute(query):
            found.setdefault(row.account_id, {})[row.limit_key] = row.until
    return found


def _number_of(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))
