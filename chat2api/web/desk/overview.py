"""The first page: is it well, how long will it stay so, and what needs a person."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from flask import Response, url_for

from chat2api.errors import RequestError, StorageUnavailable
from chat2api.pool.forecast import Forecast
from chat2api.service.outlook import Outlook
from chat2api.settings.mask import clip
from chat2api.store.request_records import RequestFilter, RequestRecord
from chat2api.web import charts
from chat2api.web.admin_auth import note_change
from chat2api.web.desk.account_query import Asked
from chat2api.web.desk.accounts import state_bar
from chat2api.web.desk.explained import verdict_of
from chat2api.web.desk.frame import desk_blueprint, pulse_now, render_desk, said
from chat2api.web.desk.health import Health, health
from chat2api.web.desk.needs import REMINDABLE, needs
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime
from chat2api.web.times import short_time, span

blueprint = desk_blueprint("desk", __name__)

_HOURS = 24
_MOST_FAILURES = 5
_PUT_OFF_SECONDS = 7 * 86_400.0


@blueprint.get("/admin")
def overview() -> Response:
    now = health()
    outlook, missing = _outlook()
    last_day = _last_day()
    return render_desk(
        "desk/overview.html",
        nav="overview",
        health=now,
        bar=_bar(),
        # How long the rest lasts is no comfort where what is asked for is used up.
        forecast=[] if outlook is None or now.is_short else _forecast_words(outlook),
        estimated=outlook is not None and outlook.forecast.estimated,
        needs=needs(outlook),
        last_day=last_day,
        failures=_failures(),
        missing=missing or last_day is None,
        steps=_first_steps(now, last_day),
    )


@blueprint.get("/admin/pulse")
def pulse() -> Response:
    """What the header's line tells, for the script that keeps it fresh."""
    now = pulse_now()
    return json_response(
        {
            "role": now.role,
            "short": now.short,
            "jobs": [{"text": job.text, "href": job.href} for job in now.jobs],
            "problem": now.problem,
            "degraded": now.degraded,
        }
    )


@blueprint.post("/admin/remind")
def put_off() -> Response:
    """Not now: the point comes back in a week, if it still stands then."""
    name = read_admin_form().first("name") or ""
    if name not in REMINDABLE:
        raise RequestError(
            "The field 'name' must be one of the points that stand there.", param="name"
        )
    runtime().desk.reminders.put_off(name, _PUT_OFF_SECONDS)
    note_change("put off", name, {"days": 7})
    if not wants_page():
        return json_response({"status": "success"})
    said(gettext("Put off for 7 days."))
    return see_other(url_for("desk.overview"))


# --- how long it lasts


def _outlook() -> tuple[Outlook | None, bool]:
    try:
        return runtime().desk.outlooks.look(), False
    except StorageUnavailable:
        return None, True


def _forecast_words(outlook: Outlook) -> list[str]:
    words = [_lasting(outlook.forecast, outlook.pace)]
    back = outlook.next_return
    if back is not None:
        words.append(
            ngettext(
                "%(num)d comes back at %(time)s.",
                "%(num)d come back at %(time)s.",
                back.count,
                time=short_time(back.at),
            )
        )
    return words


def _lasting(found: Forecast, pace: int) -> str:
    match found.kind:
        case "unknown":
            return ngettext(
                "How long it lasts cannot be told yet: %(num)d request in the last hour.",
                "How long it lasts cannot be told yet: %(num)d requests in the last hour.",
                pace,
            )
        case "plenty":
            return gettext("Enough for more than 2 days at this pace.")
        case "lasts":
            return gettext("Enough for about %(span)s at this pace.", span=span(found.seconds))


def _bar() -> charts.StateBar | None:
    try:
        return state_bar(Asked(), runtime().desk.search.tallies())
    except StorageUnavailable:
        return None


# --- the last day


@dataclass(frozen=True, slots=True)
class LastDay:
    requests: int
    failed: int
    failed_share: str
    spark: charts.Spark


def _last_day() -> LastDay | None:
    """None where the database does not tell."""
    until = int(time.time() // 3600) + 1
    since = until - _HOURS
    try:
        hours = runtime().desk.usage.series("all", since, until)
    except StorageUnavailable:
        return None
    by_hour = dict.fromkeys(range(since, until), 0)
    for hour in hours:
        by_hour[hour.hour] = by_hour.get(hour.hour, 0) + hour.requests
    requests = sum(hour.requests for hour in hours)
    failed = sum(hour.failed for hour in hours)
    share = f"{100 * failed / requests:.1f} %" if requests else ""
    return LastDay(requests, failed, share, charts.spark(list(by_hour.values())))


def _failures() -> list[dict[str, Any]]:
    try:
        rows = runtime().desk.records.page(RequestFilter(failed=True), most=_MOST_FAILURES)
    except StorageUnavailable:
        return []
    return [_failure(row) for row in rows]


def _failure(row: RequestRecord) -> dict[str, Any]:
    return {
        "at": row.at,
        "model": clip(row.model),
        "sentence": verdict_of(row),
        "href": url_for("requests.one", request_id=row.request_id),
    }


# --- the first run


def _first_steps(now: Health, last_day: LastDay | None) -> list[dict[str, Any]]:
    """Empty once all of it is done. A step that cannot be judged counts as done."""
    held = runtime()
    try:
        has_key = bool(held.settings.authorization) or bool(held.desk.keys.list())
        has_request = bool(held.desk.records.count(RequestFilter(), most=1))
    except StorageUnavailable:
        return []
    has_account = now.counts is None or now.counts.total > 0
    if has_account and has_request:
        return []
    return [
        {
            "done": has_account,
            "text": gettext("Add an account"),
            "href": url_for("add.page"),
        },
        {"done": has_key, "text": gettext("Make a key"), "href": url_for("keys.new")},
        {"done": has_request, "text": gettext("Try it here"), "href": url_for("keys.try_it")},
    ]
