"""The page of one account: how it stands and why, what is left, what happened to it, what can be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, url_for

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import AccountRow
from chat2api.service.account_standing import standing
from chat2api.service.explaining import explain
from chat2api.store.account_events import AccountEvent
from chat2api.store.account_heat import slot_of
from chat2api.store.request_records import RequestFilter
from chat2api.web import charts
from chat2api.web.desk.account_events import told_of
from chat2api.web.desk.account_rows import shown
from chat2api.web.desk.account_words import (
    evidence_of,
    is_of_a_file,
    name_of,
    source_text,
    window_name,
)
from chat2api.web.desk.fact_words import kind_words
from chat2api.web.desk.frame import render_desk
from chat2api.web.desk.names import names_in
from chat2api.web.state import runtime
from chat2api.web.times import clock_time
from chat2api.web.verdicts import pill_of as request_pill

MOST_EVENTS = 50
MOST_REQUESTS = 20
_MET = ("limited", "cooling", "rest", "needs_login")


@dataclass(frozen=True, slots=True)
class Given:
    """What a person typed into the form of the page, when it could not be saved."""

    values: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    conflict: bool = False


def show_one(row: AccountRow, given: Given | None = None, status: int = 200) -> Response:
    now = runtime().desk.search.now()
    events = _events(row.account_id)
    (cells,) = shown([row])
    heat = _heat(row.account_id, now)
    evidence = evidence_of(row, now)
    return render_desk(
        "desk/account.html",
        nav="accounts",
        status=status,
        row=row,
        cells=cells,
        name=name_of(row),
        word=standing(row, now).word,
        evidence=evidence,
        met_on=_met_on(events) if evidence.is_met else "",
        windows=[(window_name(one), one) for one in row.quota.windows],
        of_a_file=is_of_a_file(row),
        source=source_text(row),
        kind=kind_words(row.kind),
        heat=heat,
        hours=[] if heat is None else [clock_time(hour.begins_at) for hour in heat.hours],
        events=[told_of(event) for event in events],
        requests=_requests(row.account_id),
        most=runtime().settings.account_concurrency,
        login_url=_login_url(),
        given=given or Given(),
        values=_values(row, given or Given()),
    )


def _values(row: AccountRow, given: Given) -> dict[str, str]:
    """What stands in the form: what was typed, else what is stored. A proxy never goes out."""
    stored = {
        "label": row.label,
        "note": row.note,
        "proxy": "",
        "concurrency": "" if row.concurrency is None else str(row.concurrency),
    }
    return stored | dict(given.values)


def _login_url() -> str:
    return url_for("logins.start") if "logins.start" in current_app.view_functions else ""


# --- the parts of it, each of which may be missing


def _events(account_id: str) -> list[AccountEvent]:
    try:
        return runtime().desk.events.of(account_id, MOST_EVENTS)
    except StorageUnavailable:
        return []


def _met_on(events: list[AccountEvent]) -> str:
    """The request on which the account met what it stands aside for."""
    return next((one.request_id for one in events if one.kind in _MET and one.request_id), "")


def _heat(account_id: str, now: float) -> charts.HeatStrip | None:
    last = slot_of(now)
    try:
        tried = runtime().desk.heat.of(account_id, last - charts.HEAT_SLOTS + 1)
    except StorageUnavailable:
        return None
    return charts.heat_strip(tried, last) if tried else None


def _requests(account_id: str) -> list[dict[str, Any]]:
    wanted = RequestFilter(account_id=account_id)
    try:
        records = runtime().desk.records.page(wanted, most=MOST_REQUESTS)
    except StorageUnavailable:
        return []
    names = names_in(records)
    return [
        {
            "record": record,
            "href": url_for("requests.one", request_id=record.request_id),
            "pill": request_pill(explain(record)),
            "key": names.key(record.key_id),
        }
        for record in records
    ]
