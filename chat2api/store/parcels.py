"""What rests between two steps of one person: an import that was looked at, an export to be fetched once.

Sealed, for minutes, under a ticket that only its owner can redeem. A page holds the ticket instead of the
content, so nothing secret stands in pages, addresses or browsers' histories.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select

from chat2api.secret import Secret
from chat2api.store.account_rows import AnyRow
from chat2api.store.desk_tables import parcels
from chat2api.store.opening import Store
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

_TICKET_BYTES = 32
_LONGEST_TICKET = 200
# Of one owner and kind: the oldest make room, so that nobody fills the disk by looking at imports.
_MOST_AT_ONCE = 5

_p = parcels.c


class Parcels:
    """`kind` says what it is for, `owner` who may have it (`admin_actor()`); both must fit.

    Every method raises StorageUnavailable.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(
        self,
        kind: str,
        content: str,
        *,
        owner: str,
        facts: Mapping[str, Any] | None = None,
        seconds: float,
    ) -> Secret:
        """Its ticket. `content` is sealed; `facts` are not, and hold nothing secret."""
        ticket = Secret(secrets.token_urlsafe(_TICKET_BYTES))
        now = self._store.now()
        row = {
            "ticket_hash": self._store.vault.hash(ticket.reveal()),
            "kind": kind,
            "owner": owner,
            "facts": json.dumps(dict(facts or {})),
            "content": self._store.vault.seal(Secret(content)),
            "expires_at": now + seconds,
        }
        mine = (_p.kind == kind) & (_p.owner == owner)
        spare = (
            select(_p.ticket_hash)
            .where(mine)
            .order_by(_p.expires_at.desc(), _p.ticket_hash)
            .offset(_MOST_AT_ONCE - 1)
        )

        def work(connection: Connection) -> None:
            too_many = list(connection.execute(spare).scalars())
            connection.execute(
                delete(parcels).where(_p.ticket_hash.in_(too_many) | (_p.expires_at <= now))
            )
            connection.execute(parcels.insert().values(row))

        self._store.database.write(work)
        return ticket

    def look(self, ticket: Secret, kind: str, owner: str) -> tuple[dict[str, Any], str] | None:
        """Its facts and content; None where it is not there (any more), or is somebody else's."""
        which = self._is(ticket, kind, owner)
        if which is None:
            return None
        query = select(_p.facts, _p.content).where(which)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return self._opened(row)

    def take(self, ticket: Secret, kind: str, owner: str) -> tuple[dict[str, Any], str] | None:
        """As `look`, and it is gone: of several who ask at once, one gets it."""
        which = self._is(ticket, kind, owner)
        if which is None:
            return None
        taking = delete(parcels).where(which).returning(_p.facts, _p.content)
        row = self._store.database.write(
            lambda connection: connection.execute(taking).first(), durable=True
        )
        return self._opened(row)

    def drop(self, ticket: Secret, kind: str, owner: str) -> bool:
        """Whether it was there."""
        which = self._is(ticket, kind, owner)
        if which is None:
            return False
        return self._deleted(which) > 0

    def prune(self) -> int:
        """Forget those whose time is over. How many there were."""
        return self._deleted(_p.expires_at <= self._store.now())

    def _deleted(self, which: ColumnElement[bool]) -> int:
        return self._store.database.write(
            lambda connection: connection.execute(delete(parcels).where(which)).rowcount
        )

    def _is(self, ticket: Secret, kind: str, owner: str) -> ColumnElement[bool] | None:
        """None for what cannot be a ticket."""
        text = ticket.reveal()
        if not 0 < len(text) <= _LONGEST_TICKET:
            return None
        return (
            (_p.ticket_hash == self._store.vault.hash(text))
            & (_p.kind == kind)
            & (_p.owner == owner)
            & (_p.expires_at > self._store.now())
        )

    def _opened(self, row: AnyRow | None) -> tuple[dict[str, Any], str] | None:
        """What an older key sealed may be beyond opening by now: then it is gone."""
        if row is None:
            return None
        try:
            return json.loads(row.facts), self._store.vault.open(row.content).reveal()
        except (WrongKey, ValueError):
            log.warning("a parcel cannot be opened")
            return None
