"""The histories of accounts: limited, renewed, checked, changed, by whom."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row, Select, delete, select

from chat2api.errors import StorageUnavailable
from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.store.desk_tables import account_events
from chat2api.store.opening import Store
from chat2api.store.traces import clean, plain

log = logging.getLogger(__name__)

EventKind = Literal[
    "limited",
    "cooling",
    "rest",
    "needs_login",
    "recovered",
    "renewed",
    "renewal_failed",
    "checked",
    "check_failed",
    "paused",
    "resumed",
    "lifted",
    "removed",
    "restored",
    "described",
    "added",
    "login",
]

_LONGEST_TEXT = 300
_LONGEST_DETAIL = 4_000
_MOST_EVENTS = 500
_ROWS_AT_ONCE = 500
_DELETED_AT_ONCE = 1_000
_MOST_DELETIONS = 100
_BREATH_SECONDS = 0.02
_WAIT_SECONDS = 2.0

_e = account_events.c


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """`at` in epoch seconds. `actor` as in the audit log, empty: the server itself; `request_id` of the
    request that met it. `detail` is what there is to say more, without secrets. `event_id` is 0 as long
    as it is not written."""

    event_id: int
    account_id: str
    at: float
    kind: str
    actor: str = ""
    request_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class AccountEvents:
    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe

    def note(
        self,
        account_ids: Iterable[str],
        kind: EventKind,
        actor: str = "",
        detail: Mapping[str, Any] | None = None,
        request_id: str = "",
    ) -> None:
        """The same of each. Never fails: where it cannot be stored, it is logged."""
        now = self._store.now()
        events = [
            AccountEvent(0, account_id, now, kind, actor, request_id, detail or {})
            for account_id in account_ids
        ]
        try:
            self.add(events)
        except StorageUnavailable:
            facts = {"kind": kind, "actor": actor, "accounts": [one.account_id for one in events]}
            log.warning("what happened to accounts stands in this log only", extra=facts)

    def add(self, events: Sequence[AccountEvent]) -> None:
        """In transactions of some hundreds. Raises StorageUnavailable."""
        rows = [_row_of(event) for event in events]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            self._store.database.write(
                lambda connection, part=part: connection.execute(account_events.insert(), part),  # type: ignore[misc]
                wait_seconds=_WAIT_SECONDS,
            )
            self._breathe(BREATH_SECONDS)

    def of(self, account_id: str, most: int = 50, before: int | None = None) -> list[AccountEvent]:
        """The newest first; `before` an event id, for the page after it. Raises StorageUnavailable."""
        query = select(account_events).where(_e.account_id == account_id)
        if before is not None:
            query = query.where(_e.event_id < before)
        query = query.order_by(_e.event_id.desc()).limit(max(1, min(most, _MOST_EVENTS)))
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [_event_of(row) for row in rows]

    def prune(self, days: float) -> int:
        """Forget what is older; how many went. Raises StorageUnavailable."""
        old = select(_e.event_id).where(_e.at < self._store.now() - days * 86_400.0)
        return self._swept(old.order_by(_e.at))

    def forget(self, account_ids: Sequence[str]) -> int:
        """The histories of accounts that are gone; how many events. Raises StorageUnavailable."""
        return self._swept(select(_e.event_id).where(_e.account_id.in_(account_ids)))

    def _swept(self, which: Select[tuple[int]]) -> int:
        """In small transactions, for others want to write too; what is left over is done the next time."""
        ids = which.limit(_DELETED_AT_ONCE).scalar_subquery()
        statement = delete(account_events).where(_e.event_id.in_(ids))
        total = 0
        for _ in range(_MOST_DELETIONS):
            gone = self._store.database.write(
                lambda connection: connection.execute(statement).rowcount
            )
            total += gone
            if gone < _DELETED_AT_ONCE:
                break
            self._breathe(_BREATH_SECONDS)
        return total


def _row_of(event: AccountEvent) -> dict[str, Any]:
    return {
        "account_id": event.account_id[:80],
        "at": event.at,
        "kind": event.kind,
        "actor": clean(event.actor),
        "request_id": plain(event.request_id),
        "detail": _detail_text(event.detail),
    }


def _detail_text(detail: Mapping[str, Any]) -> str:
    safe = {
        clean(str(name)): value
        if isinstance(value, bool | int | float | None)
        else clean(str(value), _LONGEST_TEXT)
        for name, value in detail.items()
    }
    text = json.dumps(safe)
    return text if len(text) <= _LONGEST_DETAIL else "{}"


def _event_of(row: Row[Any]) -> AccountEvent:
    """A damaged detail is left out (fault matrix E14)."""
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = {}
    return AccountEvent(
        event_id=row.event_id,
        account_id=row.account_id,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        request_id=row.request_id,
        detail=detail if isinstance(detail, dict) else {},
    )
