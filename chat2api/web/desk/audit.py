"""Who changed what, when and from where: to look through and to take along, never to clear."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request, url_for

from chat2api.errors import RequestError
from chat2api.settings.mask import clip
from chat2api.store.audit import Audit, AuditEntry, AuditFilter
from chat2api.web.csv import csv_response
from chat2api.web.desk.audit_words import action_words
from chat2api.web.desk.fact_words import actor_words
from chat2api.web.desk.frame import desk_blueprint, render_desk
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, time_zone
from chat2api.web.page_errors import wants_page
from chat2api.web.state import runtime
from chat2api.web.times import iso

blueprint = desk_blueprint("audit", __name__)

_PAGE_ENTRIES = 50
_CSV_AT_ONCE = 500
_MOST_IN_CSV = 100_000
_LONGEST_FILTER = 200
# How a change is told apart from a fact: what it was, and what it is now.
_PAIRS = (("before", "after"), ("was", "now"), ("from", "to"), ("old", "new"))


@dataclass(frozen=True, slots=True)
class Detail:
    """One fact of an entry. `before` is None where nothing was replaced."""

    name: str
    text: str
    before: str | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The filter as it stands in the address; days as the reader's calendar has them."""

    action: str
    actor: str
    target: str
    first_day: str
    last_day: str

    @property
    def query(self) -> dict[str, Any]:
        named = {
            "action": self.action,
            "actor": self.actor,
            "target": self.target,
            "from": self.first_day,
            "to": self.last_day,
        }
        return {name: value for name, value in named.items() if value}

    def filter(self, audit: Audit) -> AuditFilter:
        """Raises RequestError (400) for what is no day, StorageUnavailable."""
        zone = ZoneInfo(time_zone())
        since = _midnight(self.first_day, "from", zone)
        until = _midnight(self.last_day, "to", zone, days_later=1)
        alike = _alike(self.action, audit.actions()) if self.action else ()
        return AuditFilter(self.action, self.actor, self.target, since, until, alike)


@blueprint.get("/admin/audit")
def page() -> Response:
    wanted = _wanted()
    audit = runtime().audit
    which, before = wanted.filter(audit), _before()
    entries = audit.recent(_PAGE_ENTRIES + 1, before, which)
    shown, more = entries[:_PAGE_ENTRIES], len(entries) > _PAGE_ENTRIES
    next_before = shown[-1].entry_id if more else None
    if not wants_page():
        listed = [_document(entry) for entry in shown]
        return json_response({"entries": listed, "next_before": next_before})
    return render_desk(
        "desk/audit.html",
        nav="audit",
        entries=[(entry, details_of(entry.detail)) for entry in shown],
        wanted=wanted,
        clip=clip,
        action_words=action_words,
        actor_text=_actor_text,
        actions=_actions(audit.actions(), wanted.action),
        actors=_actors(wanted.actor),
        zone=time_zone(),
        first_url=url_for("audit.page", **wanted.query) if before is not None else "",
        next_url=url_for("audit.page", **wanted.query, before=next_before) if more else "",
        csv_url=url_for("audit.download", **wanted.query),
    )


@blueprint.get("/admin/audit.csv")
def download() -> Response:
    entries = _all(runtime().audit, _wanted().filter(runtime().audit))
    header = ("time", "who", "from", "action", "object", "details")
    rows = (
        (iso(one.at), one.actor, one.address, one.action, one.target, _compact(one.detail))
        for one in entries
    )
    return csv_response("audit", header, rows)


def details_of(detail: Mapping[str, Any]) -> list[Detail]:
    """Safe to show: no control characters, nothing endless."""
    return [_detail(clip(str(name)), value) for name, value in detail.items()]


def _detail(name: str, value: object) -> Detail:
    if isinstance(value, Mapping):
        for old, new in _PAIRS:
            if set(value) == {old, new}:
                return Detail(name, _text(value[new]), _text(value[old]))
    return Detail(name, _text(value))


def _text(value: object) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return gettext("Yes") if value else gettext("No")
        case str():
            return clip(value)
        case list() if all(isinstance(item, str | int) for item in value):
            return clip(", ".join(str(item) for item in value)) or "–"
        case _:
            return clip(_compact(value))


def _compact(value: object) -> str:
    return "" if value in (None, {}, []) else json.dumps(value, ensure_ascii=False)


# --- the filter


def _actions(names: list[str], chosen: str) -> list[tuple[str, str]]:
    """Each word once, though pages and commands may name the same thing differently."""
    by_words: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name != chosen):
        by_words.setdefault(action_words(name), name)
    return [("", gettext("Everything")), *((by_words[words], words) for words in by_words)]


def _alike(action: str, names: list[str]) -> tuple[str, ...]:
    words = action_words(action)
    return tuple(name for name in names if name != action and action_words(name) == words)


def _actor_text(actor: str) -> str:
    """A session by its whole id: this is where it is looked up."""
    return clip(actor) if actor.startswith("session ") else actor_words(actor)


def _actors(chosen: str) -> list[tuple[str, str]]:
    known = [
        ("", gettext("Everybody")),
        ("session", gettext("Signed in here")),
        ("bearer", gettext("Scripts")),
        ("cli", gettext("Command line")),
        ("system", gettext("The server itself")),
    ]
    if chosen and chosen not in dict(known):
        known.append((chosen, clip(chosen)))
    return known


def _wanted() -> _Wanted:
    given = {
        name: request.args.get(name, "").strip()[:_LONGEST_FILTER]
        for name in ("action", "actor", "target", "from", "to")
    }
    return _Wanted(given["action"], given["actor"], given["target"], given["from"], given["to"])


def _before() -> int | None:
    number = request.args.get("before", type=int)
    return None if number is None else max(0, min(number, 2**31 - 1))


def _midnight(text: str, param: str, zone: ZoneInfo, days_later: int = 0) -> float | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days_later)
        return datetime.combine(day, time(), zone).timestamp()
    except (ValueError, OverflowError):
        raise RequestError(f"{param}: must be a day such as 2026-11-28.", param=param) from None


def _all(audit: Audit, which: AuditFilter) -> Iterator[AuditEntry]:
    """Read while the answer is sent, when the request is over."""
    before, left = None, _MOST_IN_CSV
    while left > 0 and (found := audit.recent(_CSV_AT_ONCE, before, which)):
        yield from found
        before, left = found[-1].entry_id, left - len(found)


def _document(entry: AuditEntry) -> dict[str, object]:
    return {
        "entry_id": entry.entry_id,
        "at": iso(entry.at),
        "actor": entry.actor,
        "address": entry.address,
        "action": entry.action,
        "target": entry.target,
        "detail": entry.detail,
    }
