"""Tokens and the right to renew them: one holder at a time over all workers and machines.

A renewal is claimed by a conditional UPDATE that leaves a mark (`sent_at`) before anything is sent, and is
closed by one that compares the fence number. What was sent by a process that died is therefore known, and
a result that comes late cannot undo a newer one.
"""

from __future__ import annotations

import random
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from chat2api.errors import StorageUnavailable
from chat2api.pool.refreshing import is_usable, next_refresh, pause_after
from chat2api.pool.values import Grant, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_rows import RENEWABLE, AnyRow, selectable
from chat2api.store.bearers import bearer_id, forget_bearers, keep_bearer
from chat2api.store.engine import insert_new
from chat2api.store.merging import accounts_on, tell_accounts
from chat2api.store.opening import Store

CLAIM_SECONDS = 60.0
_SHORTEST_SECONDS = 5.0
DEFAULT_WINDOW_SECONDS = 600.0

_ROWS_AT_ONCE = 500
_MOST_TRIES = 3
_USED_WITHIN_SECONDS = 3600.0

_c = tables.credentials.c
_a = tables.accounts.c
_IN_USE = exists().where(_a.credential_id == _c.credential_id, _a.removed_at.is_(None))


@dataclass(frozen=True, slots=True)
class Renewed:
    """Somebody else renewed it meanwhile: use this."""

    stored: StoredCredential


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else is renewing it; look again, at `until` at the latest."""

    until: float


@dataclass(frozen=True, slots=True)
class Resting:
    """The last try failed for now; the next is due at `until`."""

    stored: StoredCredential
    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Nothing to renew with: no refresh token, or one that was refused for good, or no such credential."""

    reason: str


ClaimAnswer = RenewalClaim | Renewed | Busy | Resting | Dead


class Credentials:
    """The credentials of accounts and of bearers. `owner` names this process in claims."""

    def __init__(
        self, store: Store, owner: str, window_seconds: float = DEFAULT_WINDOW_SECONDS
    ) -> None:
        self._store = store
        self._owner = owner
        self._window = window_seconds

    def read(self, credential_id: str) -> StoredCredential | None:
        return self._store.database.read(lambda connection: self._read(connection, credential_id))

    def claim(self, credential_id: str, seen_version: int, *, forced: bool = False) -> ClaimAnswer:
        """Ask for the right to renew. `forced` tries again although the last failure is fresh.

        `seen_version` is the version whose access token is of no use; a newer one needs no renewal.
        """
        return self._store.database.write(
            lambda connection: self._claim(connection, credential_id, seen_version, forced),
            durable=True,
        )

    def _claim(
        self, connection: Connection, credential_id: str, seen_version: int, forced: bool
    ) -> ClaimAnswer:
        now = self._store.now()
        row = _row(connection, credential_id)
        if row is None:
            return Dead("it was removed, or its token is another account's")
        if row.version > seen_version and row.access_token is not None:
            return Renewed(self._value(connection, row))
        if row.refresh_token is None:
            return Dead("there is no refresh token")
        if row.dead_hash is not None and row.dead_hash == row.refresh_hash:
            return Dead(row.refresh_error or "the refresh token was refused")
        if row.refresh_until > now:
            return Busy(row.refresh_until)
        if not forced and row.failures and (row.next_refresh_at or 0.0) > now:
            return Resting(self._value(connection, row), row.next_refresh_at, row.refresh_error)
        return self._taken(connection, row, now)

    def _taken(self, connection: Connection, row: AnyRow, now: float) -> ClaimAnswer:
        until = now + CLAIM_SECONDS
        taken = connection.execute(
            update(tables.credentials)
            .where(_c.credential_id == row.credential_id, _c.fence == row.fence)
            .values(
                fence=row.fence + 1, refresh_owner=self._owner, refresh_until=until, sent_at=now
            )
        )
        if taken.rowcount != 1:
            return Busy(now + 1.0)
        return RenewalClaim(
            self._value(connection, row), row.fence + 1, until, after_crash=row.sent_at is not None
        )

    # --- how it went

    def save(self, claim: RenewalClaim, grant: Grant) -> StoredCredential:
        """Store what was given before anything else can fail. Returns what is stored now.

        A holder whose claim ran out may still bring the only valid token: it is stored unless somebody
        stored a newer one. Raises StorageUnavailable.
        """
        for _ in range(_MOST_TRIES):
            with suppress(IntegrityError):  # another renewal found out the same person just now
                return self._store.database.write(
                    lambda connection: self._save(connection, claim, grant), durable=True
                )
        raise StorageUnavailable("The new tokens could not be stored.")

    def _save(self, connection: Connection, claim: RenewalClaim, grant: Grant) -> StoredCredential:
        old, now = claim.stored, self._store.now()
        row = _row(connection, old.credential_id)
        if row is None or row.version != old.version:
            return old if row is None else self._value(connection, row)
        # An empty one is none (fault matrix C08).
        rotated = bool(grant.refresh_token) and grant.refresh_token != old.refresh_token
        values = {"failures": 0, "refresh_error": ""} | self._new_tokens(row, grant, now)
        values |= {"version": row.version + 1, "dead_hash": None} | _claim_ended()
        if rotated:
            assert grant.refresh_token is not None
            values |= {
                "refresh_token": self._store.vault.seal(grant.refresh_token),
                "refresh_hash": self._store.vault.hash(grant.refresh_token.reveal()),
                "previous_refresh_token": row.refresh_token,
            }
            note_known(connection, self._store, old.credential_id, grant.refresh_token)
        else:
            values["previous_refresh_token"] = None  # the current one has worked
        connection.execute(
            update(tables.credentials)
            .where(_c.credential_id == old.credential_id, _c.version == old.version)
            .values(values)
        )
        tell_accounts(connection, self._store, row, grant, now)
        fresh = _row(connection, old.credential_id)
        assert fresh is not None
        return self._value(connection, fresh)

    def _new_tokens(self, row: AnyRow, grant: Grant, now: float) -> dict[str, Any]:
        values: dict[str, Any] = {}
        expires_at, has_token = row.expires_at, row.access_token is not None
        if grant.access_token:
            expires_at, has_token = grant.expires_at, True
            values |= {
                "access_token": self._store.vault.seal(grant.access_token),
                "expires_at": expires_at,
                "refreshed_at": now,
            }
        if grant.id_token:
            values["id_token"] = self._store.vault.seal(grant.id_token)
        due = next_refresh(
            has_access_token=has_token,
            expires_at=expires_at,
            refreshed_at=now,
            window=self._window,
            jitter=random.random(),
        )
        # A token of a very short life must not make us ask without end.
        values["next_refresh_at"] = max(due, now + _SHORTEST_SECONDS)
        if not grant.access_token:
            # Only a new refresh token: that is kept, and the access token is asked for again later.
            failures = row.failures + 1
            values |= {
                "failures": failures,
                "refresh_error": "the token endpoint gave no access token",
                "refresh_error_at": now,
                "next_refresh_at": now + pause_after(failures, random.random()),
            }
        return values

    def refuse(self, claim: RenewalClaim, reason: str, *, access_refused: bool) -> bool:
        """The refresh token was refused for good. False when a newer one came in meanwhile.

        The token is kept for inspection and is not tried again. The account needs a login at once where
        its access token was refused too (`access_refused`) or has ended; else when it ends.
        """
        return self._store.database.write(
            lambda connection: self._refuse(connection, claim, reason, access_refused),
            durable=True,
        )

    def _refuse(
        self, connection: Connection, claim: RenewalClaim, reason: str, access_refused: bool
    ) -> bool:
        now = self._store.now()
        row = _row(connection, claim.stored.credential_id)
        if row is None or row.version != claim.stored.version or row.fence != claim.fence:
            return False
        values = _claim_ended() | {
            "dead_hash": row.refresh_hash,
            "failures": row.failures + 1,
            "refresh_error": reason,
            "refresh_error_at": now,
            "next_refresh_at": None,
        }
        connection.execute(
            update(tables.credentials).where(_c.credential_id == row.credential_id).values(values)
        )
        if access_refused or not _has_usable_token(row, now):
            connection.execute(
                update(tables.accounts)
                .where(_a.credential_id == row.credential_id)
                .values(
                    needs_login=True, selectable=False, wake_at=None, reason=reason, reason_at=now
                )
            )
        return True

    def postpone(self, claim: RenewalClaim, reason: str, *, unsure: bool = False) -> float:
        """The exchange failed for now. Returns when to try again; the account is used meanwhile, if it can.

        `unsure`: it may have been carried out, and the mark that tells so stays.
        """
        return self._store.database.write(
            lambda connection: self._postpone(connection, claim, reason, unsure), durable=True
        )

    def _postpone(
        self, connection: Connection, claim: RenewalClaim, reason: str, unsure: bool
    ) -> float:
        now = self._store.now()
        row = _row(connection, claim.stored.credential_id)
        failures = 1 if row is None else row.failures + 1
        again = now + pause_after(failures, random.random())
        if row is None or row.version != claim.stored.version or row.fence != claim.fence:
            return again
        connection.execute(
            update(tables.credentials)
            .where(_c.credential_id == row.credential_id)
            .values(
                **_claim_ended() | ({"sent_at": now} if unsure else {}),
                failures=failures,
                refresh_error=reason,
                refresh_error_at=now,
                next_refresh_at=again,
            )
        )
        if not _has_usable_token(row, now):
            _rest(connection, row.credential_id, again, reason, now)
        return again

    # --- the schedule

    def due(self, most: int) -> list[tuple[str, int]]:
        """Credentials to renew now that nobody is renewing, the longest due first: (id, version)."""
        now = self._store.now()
        query = (
            select(_c.credential_id, _c.version)
            .where(
                _c.next_refresh_at <= now,
                _c.refresh_until <= now,
                _c.refresh_token.is_not(None),
                _IN_USE,
            )
            .order_by(_c.next_refresh_at)
            .limit(most)
        )
        return self._store.database.read(
            lambda connection: [(row[0], row[1]) for row in connection.execute(query)]
        )

    def is_anything_under_way(self) -> bool:
        """Whether a renewal is due now, or somebody is at one."""
        now = self._store.now()
        query = (
            select(_c.credential_id)
            .where(
                (_c.refresh_until > now) | (_c.next_refresh_at <= now + 2.0),
                _c.refresh_token.is_not(None),
                _IN_USE,
            )
            .limit(1)
        )
        return self._store.database.read(lambda c: c.execute(query).first() is not None)

    def make_all_due(self, window_seconds: float, per_second: float) -> int:
        """All accounts in use that can be renewed are due, spread evenly over a window; over a longer
        one where there are too many for that."""
        now, ids = self._store.now(), [credential_id for credential_id, _ in self.renewable()]
        step = max(window_seconds / max(len(ids), 1), 1 / per_second)
        moments = [
            {"the_id": credential_id, "due": now + index * step}
            for index, credential_id in enumerate(ids)
        ]
        # In pieces, so that turns go on between them; an interrupted run is made again as a whole.
        for start in range(0, len(moments), _ROWS_AT_ONCE):
            some = moments[start : start + _ROWS_AT_ONCE]
            self._store.database.write(partial(_be_due, moments=some), durable=True)
        return len(ids)

    def renewable(self) -> list[tuple[str, int]]:
        """All of accounts in use that have a refresh token which was not refused: (id, version)."""
        query = (
            select(_c.credential_id, _c.version)
            .join(tables.accounts, _a.credential_id == _c.credential_id)
            .where(RENEWABLE, _a.removed_at.is_(None))
            .group_by(_c.credential_id, _c.version)
            .order_by(func.min(_a.position))
        )
        return self._store.database.read(
            lambda connection: [(row[0], row[1]) for row in connection.execute(query)]
        )

    # --- refresh tokens that callers bring

    def of_bearer(self, token: Secret) -> StoredCredential:
        """The credential kept for a caller's own refresh token; made at its first use.

        It is of no account and never in the pool. For a token that is the pool's there is none.
        """
        vault, now = self._store.vault, self._store.now()
        credential_id = bearer_id(token, vault)

        def work(connection: Connection) -> StoredCredential:
            kept = keep_bearer(connection, credential_id, token, vault, now)
            row = _row(connection, credential_id) if kept else None
            return _nothing(credential_id) if row is None else self._value(connection, row)

        row = self._store.database.read(lambda c: _row(c, credential_id, to_change=False))
        if row is not None and row.used_at > now - _USED_WITHIN_SECONDS:
            return self._store.database.read(lambda connection: self._value(connection, row))
        return self._store.database.write(work, durable=True)

    def forget_bearers(self, unused_seconds: float) -> int:
        now = self._store.now()
        return self._store.database.write(lambda c: forget_bearers(c, unused_seconds, now))

    # --- inside

    def _read(self, connection: Connection, credential_id: str) -> StoredCredential | None:
        row = _row(connection, credential_id, to_change=False)
        return None if row is None else self._value(connection, row)

    def _value(self, connection: Connection, row: AnyRow) -> StoredCredential:
        vault = self._store.vault
        account = connection.execute(
            select(_a.proxy, _a.account_id)
            .where(_a.credential_id == row.credential_id)
            .order_by(_a.position)
        ).first()
        return StoredCredential(
            credential_id=row.credential_id,
            version=row.version,
            access_token=vault.open_or_none(row.access_token),
            refresh_token=vault.open_or_none(row.refresh_token),
            previous_refresh_token=vault.open_or_none(row.previous_refresh_token),
            id_token=vault.open_or_none(row.id_token),
            expires_at=row.expires_at,
            client_id=row.client_id,
            proxy=None if account is None else vault.open_or_none(account.proxy),
            subject=row.credential_id if account is None else account.account_id,
        )


def _row(connection: Connection, credential_id: str, *, to_change: bool = True) -> AnyRow | None:
    query = select(tables.credentials).where(_c.credential_id == credential_id)
    return connection.execute(query.with_for_update() if to_change else query).first()


def _rest(
    connection: Connection, credential_id: str, until: float, reason: str, now: float
) -> None:
    """Accounts without a usable token wait for the next try."""
    for row in accounts_on(connection, credential_id):
        if row.cooling_until < until:
            values = {"cooling_until": until, "limited": False, "reason": reason, "reason_at": now}
            values |= selectable(dict(row._mapping) | values, now)
            connection.execute(
                update(tables.accounts).where(_a.account_id == row.account_id).values(values)
            )


def _nothing(credential_id: str) -> StoredCredential:
    return StoredCredential(credential_id, 0, None, None, subject=credential_id)


def _has_usable_token(row: AnyRow, now: float) -> bool:
    return row.access_token is not None and is_usable(row.expires_at, now)


def _claim_ended() -> dict[str, Any]:
    return {"refresh_owner": None, "refresh_until": 0.0, "sent_at": None}


def _be_due(connection: Connection, moments: list[dict[str, Any]]) -> None:
    due = update(tables.credentials).where(_c.credential_id == bindparam("the_id"))
    connection.execute(due.values(next_refresh_at=bindparam("due")), moments)


def note_known(connection: Connection, store: Store, credential_id: str, token: Secret) -> None:
    """Remember a refresh token's hash, so that it is recognised after it was spent."""
    row = {
        "token_hash": store.vault.hash(token.reveal()),
        "credential_id": credential_id,
        "seen_at": store.now(),
    }
    insert_new(connection, tables.known_tokens, row)


def new_credential_id() -> str:
    return f"cred_{secrets.token_hex(10)}"
