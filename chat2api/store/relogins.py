"""Accounts that want a new login: which they are, whether a login is theirs, and what it heals beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, case, exists, func, or_, select, tuple_, update

from chat2api.pool.claims import Claims
from chat2api.pool.identity import claims_of, identity_by_claims
from chat2api.pool.values import AccountRow, NewAccount
from chat2api.store import tables
from chat2api.store.account_rows import (
    FOR_PEOPLE,
    RENEWABLE,
    AnyRow,
    damaged_row,
    row_for_people,
    selectable,
)
from chat2api.store.merging import accounts_on
from chat2api.store.opening import Store

SOON_SECONDS = 2 * 86_400.0

_a, _c = tables.accounts.c, tables.credentials.c
# What is over already first, then by how soon it will be.
_ENDS = case((_a.needs_login, 0.0), else_=func.coalesce(_c.expires_at, 0.0))

Verdict = Literal["same", "other_account", "other_workspace", "taken", "unnamed", "gone"]


@dataclass(frozen=True, slots=True)
class Match:
    """Whether a login is that of an account; `workspace_id` is the account's."""

    verdict: Verdict
    workspace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account that wants a login, and where its page of the list begins: `key` is for `after`."""

    account: AccountRow
    key: tuple[float, str]


class Relogins:
    """All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # --- which

    def page(self, *, after: tuple[float, str] | None = None, most: int = 50) -> list[Wanted]:
        """Those that need a login now, then those whose renewal is broken, by their end. Paused ones are
        left out: somebody wants them to rest."""
        query = FOR_PEOPLE.add_columns(_ENDS.label("ends")).where(self._wanted())
        if after is not None:
            query = query.where(tuple_(_ENDS, _a.account_id) > tuple_(*after))
        query = query.order_by(_ENDS, _a.account_id).limit(most)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [Wanted(self._shown(row), (row.ends, row.account_id)) for row in rows]

    def count(self) -> int:
        query = (
            select(func.count())
            .select_from(tables.accounts)
            .join(tables.credentials, _c.credential_id == _a.credential_id)
            .where(self._wanted())
        )
        return self._store.database.read(
            lambda connection: int(connection.execute(query).scalar() or 0)
        )

    def _wanted(self) -> Any:
        dead = and_(_c.dead_hash.is_not(None), _c.dead_hash == _c.refresh_hash)
        soon = and_(~RENEWABLE, _c.expires_at <= self._store.now() + SOON_SECONDS)
        return and_(_a.removed_at.is_(None), ~_a.paused, or_(_a.needs_login, dead, soon))

    def _shown(self, row: AnyRow) -> AccountRow:
        try:
            return row_for_people(row, {}, self._store.vault, self._store.now())
        except (TypeError, ValueError):  # columns of SQLite may hold anything (fault matrix E14)
            return damaged_row(row)

    # --- whose

    def match(self, account_id: str, new: NewAccount) -> Match:
        """Whether `new`, as a login brought it, is this account.

        An account that so far is known by its token only is given the name that the login has, unless
        another account has it ("taken"), or it is labelled with another address.
        """
        claims = claims_of(new.access_token, new.id_token)
        return self._store.database.write(
            lambda connection: self._match(connection, account_id, claims), durable=True
        )

    def _match(self, connection: Connection, account_id: str, claims: Claims) -> Match:
        query = select(tables.accounts).where(_a.account_id == account_id).with_for_update()
        row = connection.execute(query).first()
        if row is None or row.removed_at is not None:
            return Match("gone")
        named = identity_by_claims(claims, row.workspace_id, self._store.vault.hash)
        if named is None:
            return Match("unnamed")
        if named == row.identity:
            return Match("same", row.workspace_id)
        if row.identity.startswith("user:"):
            is_person = bool(claims.user_id) and row.user_id == claims.user_id
            return Match("other_workspace" if is_person else "other_account")
        if "@" in row.label and claims.email and row.label.lower() != claims.email.lower():
            return Match("other_account")
        if connection.execute(select(exists().where(_a.identity == named))).scalar():
            return Match("taken")
        _write(connection, account_id, {"identity": named, "user_id": claims.user_id})
        return Match("same", row.workspace_id)

    # --- what else lives on it

    def revive_siblings(self, account_id: str) -> None:
        """Accounts of other workspaces that live on the same tokens need no login of their own."""
        mine = select(_a.credential_id).where(_a.account_id == account_id)

        def work(connection: Connection) -> None:
            credential_id = connection.execute(mine).scalar()
            for row in accounts_on(connection, credential_id or ""):
                if row.needs_login:
                    values: dict[str, Any] = {"needs_login": False, "reason": "", "reason_at": None}
                    values |= {} if row.limited else {"cooling_until": 0.0}
                    values |= selectable(dict(row._mapping) | values, self._store.now())
                    _write(connection, row.account_id, values)

        self._store.database.write(work)


def _write(connection: Connection, account_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(tables.accounts).where(_a.account_id == account_id).values(values))
