"""Accounts coming in: from people, files and settings; each account once, whatever of it is handed in.

An account is known by what its tokens say (`pool.identity`), or by a refresh token that was ever its own.
Handing in the same again changes nothing; handing in something newer renews it.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select, text, update
from sqlalchemy.exc import IntegrityError

from chat2api.errors import StorageUnavailable
from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.claims import Claims
from chat2api.pool.identity import claims_of, identity_of
from chat2api.pool.refreshing import next_refresh
from chat2api.pool.values import Added, AddVerdict, NewAccount
from chat2api.store import tables
from chat2api.store.account_rows import look_text, selectable
from chat2api.store.credentials import DEFAULT_WINDOW_SECONDS, new_credential_id
from chat2api.store.news import Batch, News
from chat2api.store.opening import Store

T = TypeVar("T")

_ROWS_AT_ONCE = 200
_BREATH = 50
_MOST_TRIES = 3
_ONE_INTAKE = (
    0x63683262  # an advisory lock's number: two that add the same person would both insert
)

_a, _c = tables.accounts.c, tables.credentials.c
_known = tables.known_tokens


class Intake:
    """Takes accounts into the store."""

    def __init__(
        self,
        store: Store,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        provider: str = "chatgpt",
        breathe: Callable[[float], None] = time.sleep,
    ) -> None:
        self._breathe = breathe
        self._store = store
        self._window = window_seconds
        self._news = News(store.vault, window_seconds)
        self._provider = provider

    def add(
        self, accounts: Iterable[NewAccount], source: str, *, at_once: bool = False
    ) -> list[Added]:
        """Add or renew each, in order. `at_once`: all of them in one transaction, or none.

        Otherwise in small ones, so that others have their turn between them; running it again completes
        what an interruption left. Raises StorageUnavailable.
        """
        everything = self._read(accounts)
        size = max(len(everything), 1) if at_once else _ROWS_AT_ONCE
        added: list[Added] = []
        for start in range(0, len(everything), size):
            some = everything[start : start + size]
            added += self._written(partial(self._add, accounts=some, source=source))
        return added

    def _written(self, work: Callable[[Connection], list[Added]]) -> list[Added]:
        for _ in range(_MOST_TRIES):
            with suppress(IntegrityError):  # a renewal found out the same person just now
                return self._store.database.write(work, durable=True)
        raise StorageUnavailable("The accounts could not be stored.")

    def _read(self, accounts: Iterable[NewAccount]) -> list[tuple[NewAccount, Claims]]:
        return [(new, claims_of(new.access_token, new.id_token)) for new in self._gently(accounts)]

    def _gently(self, things: Iterable[T]) -> Iterator[T]:
        """Ten thousand accounts are seconds of work: the other requests of this process go on meanwhile."""
        for index, thing in enumerate(things, 1):
            yield thing
            if index % _BREATH == 0:
                self._breathe(BREATH_SECONDS)

    def preview(self, accounts: Iterable[NewAccount], source: str) -> list[Added]:
        """What `add` would do, without doing it."""
        everything = self._read(accounts)

        def work(connection: Connection) -> list[Added]:
            batch = self._batch(connection, everything, dry=True)
            return [self._take(connection, batch, *one, source) for one in self._gently(everything)]

        return self._store.database.read(work)

    # --- a transaction

    def _add(
        self, connection: Connection, accounts: Sequence[tuple[NewAccount, Claims]], source: str
    ) -> list[Added]:
        if connection.dialect.name != "sqlite":  # SQLite has one writer anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ONE_INTAKE})
        batch = self._batch(connection, accounts)
        added = [self._take(connection, batch, *one, source) for one in self._gently(accounts)]
        for table, rows in (
            (tables.credentials, list(batch.new_credentials.values())),
            (tables.accounts, list(batch.new_accounts.values())),
            (_known, batch.new_tokens),
        ):
            for some in self._gently(_pieces(rows)):
                connection.execute(table.insert(), some)
                self._breathe(BREATH_SECONDS)
        return added

    def _batch(
        self,
        connection: Connection,
        accounts: Sequence[tuple[NewAccount, Claims]],
        *,
        dry: bool = False,
    ) -> Batch:
        hashes = {
            self._store.vault.hash(new.refresh_token.reveal())
            for new, _ in accounts
            if new.refresh_token is not None
        }
        identities = {identity_of(new, claims, self._store.vault.hash) for new, claims in accounts}
        batch = Batch(self._store.now(), dry)
        for some in _pieces(sorted(hashes)):
            query = select(_known.c.token_hash, _known.c.credential_id)
            for row in connection.execute(query.where(_known.c.token_hash.in_(some))):
                batch.by_token[row.token_hash] = row.credential_id
        credential_ids = sorted(set(batch.by_token.values()))
        for column, values in (
            (_a.identity, sorted(identities)),
            (_a.credential_id, credential_ids),
        ):
            for some in _pieces(values):
                query = _WHOLE.where(column.in_(some)).order_by(_a.account_id)
                query = query if dry else query.with_for_update()
                for row in connection.execute(query):
                    batch.remember(dict(row._mapping))
        top = connection.execute(
            select(func.coalesce(func.max(_a.position), 0), func.coalesce(func.max(_a.turn), 0))
        ).one()
        batch.position, batch.turn = top
        return batch

    def _take(
        self,
        connection: Connection,
        batch: Batch,
        new: NewAccount,
        claims: Claims,
        source: str,
    ) -> Added:
        row, shared = self._known_row(batch, new, claims)
        if shared is not None:
            self._renew(connection, batch, shared, self._news.tokens(batch, shared, new, claims))
        if row is None:
            return self._insert(batch, new, claims, source, shared)
        changes = self._news.changes(batch, row, new, claims)
        account_id = str(row["account_id"])
        if not any(changes):
            return Added("unchanged", account_id)
        verdict: AddVerdict = "revived" if row["removed_at"] is not None else "updated"
        on_account, on_credential = changes
        if verdict == "revived":
            on_account["source"] = source
        row.update(on_account)
        self._renew(connection, batch, row, on_credential)
        derived = selectable(row, batch.now)
        row.update(derived)
        self._put(connection, batch, tables.accounts, account_id, on_account | derived)
        return Added(verdict, account_id)

    def _renew(
        self, connection: Connection, batch: Batch, row: dict[str, Any], changed: dict[str, Any]
    ) -> None:
        """Change a credential, in the rows of all accounts that live on it."""
        for one in batch.by_credential[row["credential_id"]]:
            one.update(changed)
        self._put(connection, batch, tables.credentials, row["credential_id"], changed)

    def _known_row(
        self, batch: Batch, new: NewAccount, claims: Claims
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The account it is; or else one whose credential a new one is to share, if there is one."""
        known = batch.by_identity.get(identity_of(new, claims, self._store.vault.hash))
        if known is not None or new.refresh_token is None:
            return known, None
        credential_id = batch.by_token.get(self._store.vault.hash(new.refresh_token.reveal()), "")
        sharing = batch.by_credential.get(credential_id, [])
        for row in sharing:
            if new.workspace_id in (None, row["workspace_id"]):
                return row, None
        # The same token for another workspace is an account of its own. It is single-use all the same:
        # both live on one credential, renewed once.
        return None, sharing[0] if sharing else None

    # --- a new one

    def _insert(
        self,
        batch: Batch,
        new: NewAccount,
        claims: Claims,
        source: str,
        shared: dict[str, Any] | None,
    ) -> Added:
        batch.position += 1
        batch.turn += 1
        account_id = f"acc_{secrets.token_hex(8)}"
        credential_id = new_credential_id() if shared is None else str(shared["credential_id"])
        account = self._account(batch, new, claims, account_id, credential_id) | {"source": source}
        if shared is None:
            credential = self._credential(batch, new, claims, credential_id)
            batch.new_credentials[credential_id] = credential
            self._news.note_token(batch, new.refresh_token, credential_id)
        else:
            credential = shared
        batch.new_accounts[account_id] = account
        batch.remember({**credential, **account})
        return Added("added", account_id)

    def _credential(
        self, batch: Batch, new: NewAccount, claims: Claims, credential_id: str
    ) -> dict[str, Any]:
        vault = self._store.vault
        return {
            "credential_id": credential_id,
            "owner": "account",
            "access_token": vault.seal_or_none(new.access_token),
            "expires_at": claims.expires_at,
            "refresh_token": vault.seal_or_none(new.refresh_token),
            "refresh_hash": vault.hash_or_none(new.refresh_token),
            "previous_refresh_token": None,
            "id_token": vault.seal_or_none(new.id_token),
            "client_id": new.client_id,
            "version": 1,
            "failures": 0,
            "sent_at": None,
            "refreshed_at": new.refreshed_at,
            "next_refresh_at": self._due(batch, new, claims),
            "refresh_error": new.refused if new.refresh_token is not None else "",
            "dead_hash": vault.hash_or_none(new.refresh_token) if new.refused else None,
            "created_at": batch.now,
        }

    def _due(self, batch: Batch, new: NewAccount, claims: Claims) -> float | None:
        if new.refresh_token is None or new.refused:
            return None
        return next_refresh(
            has_access_token=new.access_token is not None,
            expires_at=claims.expires_at,
            refreshed_at=min(new.refreshed_at or batch.now, batch.now),
            window=self._window,
            jitter=random.random(),
        )

    def _account(
        self, batch: Batch, new: NewAccount, claims: Claims, account_id: str, credential_id: str
    ) -> dict[str, Any]:
        row = {
            "account_id": account_id,
            "identity": identity_of(new, claims, self._store.vault.hash),
            "provider": self._provider,
            "kind": new.kind,
            "credential_id": credential_id,
            "label": new.email or claims.email,
            "plan": new.plan or claims.plan,
            "user_id": claims.user_id,
            "workspace_id": new.workspace_id,
            "note": new.note,
            "proxy": self._store.vault.seal_or_none(new.proxy),
            "proxy_hash": self._store.vault.hash_or_none(new.proxy),
            "look": look_text(new.look),
            "position": batch.position,
            "pooled": new.pooled,
            "paused": False,
            "removed_at": None,
            "needs_login": bool(new.refused),
            "reason": new.refused,
            "reason_at": batch.now if new.refused else None,
            "cooling_until": 0.0,
            "limited": False,
            "turn": batch.turn,
            "dice": random.random(),
            "created_at": batch.now,
        }
        return row | selectable(row, batch.now)

    def _put(
        self, connection: Connection, batch: Batch, table: Table, key: str, changed: dict[str, Any]
    ) -> None:
        rows = batch.new_accounts if table is tables.accounts else batch.new_credentials
        if key in rows:
            rows[key].update(changed)
        elif changed and not batch.dry:
            (own,) = table.primary_key
            connection.execute(update(table).where(own == key).values(changed))


_WHOLE = select(
    tables.accounts,
    *[column for column in tables.credentials.c if column.name != "credential_id"],
).join(tables.credentials, _c.credential_id == _a.credential_id)


def _pieces(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + 500] for start in range(0, len(values), 500))
