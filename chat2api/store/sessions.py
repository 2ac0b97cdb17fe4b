"""Sessions of people: a random ticket in their cookie, everything else here (fault matrix H04).

A session remembers the hash of the secret that opened it, so that it ends with that secret.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.store.opening import Store
from chat2api.store.tables import sessions

SessionKind = Literal["admin", "mirror", "key"]

_TICKET_BYTES = 32
_SEEN_EVERY_SECONDS = 60.0
_TOUCH_WAIT_SECONDS = 0.2
_LONGEST_TICKET = 200
# Of one key: the oldest make room, so that nobody fills the disk by signing in again and again.
_MOST_OF_ONE = 50
_SESSION_ID = re.compile(r"[0-9a-f]{12}")

_s = sessions.c


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `session_id` is safe to show and to log. Times are epoch seconds.

    `secret_hash` is the keyed hash of the secret that opened it; `csrf` goes into every form.
    """

    session_id: str
    subject: str
    csrf: str = field(repr=False)
    secret_hash: str = field(repr=False)
    address: str
    created_at: float
    seen_at: float
    expires_at: float


class Sessions:
    """Those of one kind. `idle_seconds` without a request end one; `lasts_seconds` do in any case.

    Every method raises StorageUnavailable.
    """

    def __init__(
        self,
        store: Store,
        kind: SessionKind = "admin",
        *,
        idle_seconds: float = 12 * 3600.0,
        lasts_seconds: float = 7 * 86_400.0,
    ) -> None:
        self._store = store
        self._kind = kind
        self._idle_seconds = idle_seconds
        self._lasts_seconds = lasts_seconds

    def begin(
        self, secret_hash: str, address: str, *, subject: str = "", replacing: Secret | None = None
    ) -> tuple[Session, Secret]:
        """A new session and its ticket. The one of `replacing` ends: a ticket never outlives a login."""
        ticket = Secret(secrets.token_urlsafe(_TICKET_BYTES))
        now = self._store.now()
        row = {
            "ticket_hash": self._hash(ticket),
            "kind": self._kind,
            "subject": subject,
            "csrf": secrets.token_urlsafe(_TICKET_BYTES),
            "secret_hash": secret_hash,
            "address": address,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + self._lasts_seconds,
        }
        over = (_s.kind == self._kind) & (
            (_s.expires_at <= now) | (_s.seen_at <= now - self._idle_seconds)
        )

        spare = (
            select(_s.ticket_hash)
            .where(_s.kind == self._kind, _s.subject == subject)
            .order_by(_s.created_at.desc(), _s.ticket_hash)
            .offset(_MOST_OF_ONE - 1)
        )

        def work(connection: Connection) -> Row[Any]:
            if replacing is not None:
                connection.execute(delete(sessions).where(self._is(replacing)))
            connection.execute(delete(sessions).where(over))
            if self._kind == "key":
                connection.execute(delete(sessions).where(_s.ticket_hash.in_(spare)))
            connection.execute(sessions.insert().values(row))
            return connection.execute(select(sessions).where(self._is(ticket))).one()

        return _session_of(self._store.database.write(work, durable=True)), ticket

    def find(self, ticket: Secret, *, stay_awake: bool = True) -> Session | None:
        """The session of a ticket, if it still lasts. Being asked for keeps it awake, unless a page that is
        only left open asks."""
        if len(ticket.reveal()) > _LONGEST_TICKET:
            return None
        query = select(sessions).where(self._is(ticket))
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        now = self._store.now()
        if row is None or row.expires_at <= now or row.seen_at <= now - self._idle_seconds:
            return None
        if stay_awake and row.seen_at <= now - _SEEN_EVERY_SECONDS:
            self._touch(ticket, now)
        return _session_of(row)

    def end(self, ticket: Secret) -> bool:
        """Whether there was one."""
        return self._end(self._is(ticket)) > 0

    def end_one(self, session_id: str) -> bool:
        """End the session with this id; whether there was one."""
        if not _SESSION_ID.fullmatch(session_id):
            return False
        this = _s.ticket_hash.startswith(session_id)
        return self._end((_s.kind == self._kind) & this) > 0

    def end_others(self, ticket: Secret) -> int:
        """End all but the one with this ticket. How many ended."""
        return self._end((_s.kind == self._kind) & (_s.ticket_hash != self._hash(ticket)))

    def end_all(self) -> int:
        return self._end(_s.kind == self._kind)

    def list(self) -> tuple[Session, ...]:
        """Those that last, the newest first."""
        now = self._store.now()
        query = (
            select(sessions)
            .where(
                _s.kind == self._kind,
                _s.expires_at > now,
                _s.seen_at > now - self._idle_seconds,
            )
            .order_by(_s.created_at.desc(), _s.ticket_hash)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return tuple(_session_of(row) for row in rows)

    def _end(self, which: ColumnElement[bool]) -> int:
        return self._store.database.write(
            lambda connection: connection.execute(delete(sessions).where(which)).rowcount,
            durable=True,
        )

    def _touch(self, ticket: Secret, now: float) -> None:
        statement = update(sessions).where(self._is(ticket)).values(seen_at=now)
        try:
            self._store.database.write(
                lambda connection: connection.execute(statement), wait_seconds=_TOUCH_WAIT_SECONDS
            )
        except StorageUnavailable:
            return  # it is only seen a little earlier than it was

    def _is(self, ticket: Secret) -> ColumnElement[bool]:
        return (_s.kind == self._kind) & (_s.ticket_hash == self._hash(ticket))

    def _hash(self, ticket: Secret) -> str:
        return self._store.vault.hash(ticket.reveal())


def _session_of(row: Row[Any]) -> Session:
    return Session(
        session_id=row.ticket_hash[:12],
        subject=row.subject,
        csrf=row.csrf,
        secret_hash=row.secret_hash or "",
        address=row.address,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
    )
