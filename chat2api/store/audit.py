"""Who changed what, when and from where. Only ever added to (fault matrix G13)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select

from chat2api.errors import StorageUnavailable
from chat2api.logs import redact
from chat2api.store.opening import Store
from chat2api.store.tables import audit

log = logging.getLogger(__name__)

_LONGEST_TEXT = 500
_LONGEST_DETAIL = 8_000
_MOST_ENTRIES = 500
_MOST_EARLY = 1_000
_MOST_ACTIONS = 200
_WAIT_SECONDS = 2.0

_e = audit.c


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`at` in epoch seconds. `detail` is what changed, with secrets masked."""

    entry_id: int
    at: float
    actor: str
    address: str
    action: str
    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What is empty does not count. `actor` is somebody, or a kind of them: "session" for all sessions.

    `since` and `until` in epoch seconds, the second exclusive. `alike` are actions that count as `action`.
    """

    action: str = ""
    actor: str = ""
    target: str = ""
    since: float | None = None
    until: float | None = None
    alike: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return self == AuditFilter()

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.action:
            found.append(_e.action.in_((self.action, *self.alike)))
        if self.actor:
            kind = _e.actor.startswith(f"{self.actor} ", autoescape=True)
            found.append(or_(_e.actor == self.actor, kind))
        if self.target:
            found.append(_e.target == self.target)
        if self.since is not None:
            found.append(_e.at >= self.since)
        if self.until is not None:
            found.append(_e.at < self.until)
        return found


class Audit:
    def __init__(self, store: Store) -> None:
        self._store = store

    def note(
        self,
        actor: str,
        address: str,
        action: str,
        target: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Never fails: where it cannot be stored, it is logged. Give masked details only.

        What looks like a secret all the same is hidden; a second line of defence.
        """
        row = {
            "at": self._store.now(),
            "actor": _short(actor),
            "address": _short(address),
            "action": _short(action),
            "target": _short(target),
            "detail": _detail_text(detail or {}),
        }
        log.info("audit: %s", row["action"], extra=_for_the_log(row))
        try:
            self._store.database.write(
                lambda connection: connection.execute(audit.insert().values(row)),
                durable=True,
                wait_seconds=_WAIT_SECONDS,
            )
        except StorageUnavailable:
            log.warning("an audit entry stands in this log only", extra=_for_the_log(row))

    def has_early(self, action: str) -> bool:
        """Whether it was among the first thousand things done here. Raises StorageUnavailable."""
        first = select(_e.action).order_by(_e.entry_id).limit(_MOST_EARLY).subquery()
        query = select(first.c.action).where(first.c.action == action).limit(1)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return row is not None

    def recent(
        self,
        limit: int = 100,
        before: int | None = None,
        which: AuditFilter = AuditFilter(),
    ) -> list[AuditEntry]:
        """The newest first; `before` an entry id, for the page after it. Raises StorageUnavailable."""
        query = select(audit).where(*which.conditions()).order_by(_e.entry_id.desc())
        if before is not None:
            query = query.where(_e.entry_id < before)
        query = query.limit(max(1, min(limit, _MOST_ENTRIES)))
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [_entry_of(row) for row in rows]

    def actions(self) -> list[str]:
        """Every kind of action there is an entry of, for a menu. Raises StorageUnavailable."""
        query = select(_e.action).distinct().order_by(_e.action).limit(_MOST_ACTIONS)
        return list(
            self._store.database.read(lambda connection: connection.execute(query).scalars())
        )


def _for_the_log(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("actor", "address", "target", "detail")}


def _short(text: str) -> str:
    return redact(text)[:_LONGEST_TEXT]


def _detail_text(detail: Mapping[str, object]) -> str:
    safe = {redact(str(name)): _safe(value) for name, value in detail.items()}
    text = json.dumps(safe, ensure_ascii=True, default=str)
    return text if len(text) <= _LONGEST_DETAIL else json.dumps({"shortened": text[:_LONGEST_TEXT]})


def _safe(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {redact(str(name)): _safe(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_safe(item) for item in value]
        case _:
            return redact(str(value))


def _entry_of(row: Row[Any]) -> AuditEntry:
    """A damaged detail is left out (fault matrix E14)."""
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = {}
    return AuditEntry(
        entry_id=row.entry_id,
        at=row.at,
        actor=row.actor,
        address=row.address,
        action=row.action,
        target=row.target,
        detail=detail if isinstance(detail, dict) else {},
    )
