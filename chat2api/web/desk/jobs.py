"""Work on many things at once: how far it is, stopping it, what came of it, and trying again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from flask import Response, request, url_for

from chat2api.errors import NotFound, RequestError
from chat2api.service.job_kinds import CHECK, RENEW
from chat2api.store.jobs import ItemState, JobBook, JobItem, JobView
from chat2api.web.admin_auth import admin_actor, note_change
from chat2api.web.csv import csv_response
from chat2api.web.desk.account_words import words_of
from chat2api.web.desk.fact_words import actor_words
from chat2api.web.desk.frame import desk_blueprint, render_desk, said
from chat2api.web.forms import read_admin_form
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import wants_page
from chat2api.web.pages import see_other
from chat2api.web.state import runtime
from chat2api.web.times import iso, span

blueprint = desk_blueprint("jobs", __name__)

_PAGE_ITEMS = 100
_CSV_ITEMS = 500
_ENOUGH_FOR_A_GUESS = 3
_CLOSE_SECONDS = 90.0
_TARGETS_ARE_ACCOUNTS = (RENEW, CHECK)


@dataclass(frozen=True, slots=True)
class Shown:
    """A job as the pages have it; every text is ready to be read."""

    job: JobView
    title: str
    role: str
    glyph: str
    state: str
    progress: str


@blueprint.get("/admin/jobs")
def page() -> Response:
    jobs = [shown(job) for job in runtime().desk.jobs.recent()]
    if not wants_page():
        return json_response({"jobs": [_document(one) for one in jobs]})
    return render_desk(
        "desk/jobs.html", nav="jobs", jobs=jobs, actor_words=actor_words, me=admin_actor()
    )


@blueprint.get("/admin/jobs/<job_id>")
def one(job_id: str) -> Response:
    """Scripts, the page's own among them, get how far it is."""
    found = shown(_job(job_id))
    if not wants_page():
        return json_response(_document(found))
    state, after = _wanted_items()
    items = runtime().desk.jobs.items(job_id, state, after, _PAGE_ITEMS + 1)
    more = len(items) > _PAGE_ITEMS
    return render_desk(
        "desk/job.html",
        nav="jobs",
        shown=found,
        job=found.job,
        actor_words=actor_words,
        me=admin_actor(),
        words_of=words_of,
        chips=_chips(found.job, state),
        items=[(item, *item_words(item.state, found.job)) for item in items[:_PAGE_ITEMS]],
        item_state=state or "",
        first_url=_items_url(job_id, state) if after >= 0 else "",
        next_url=_items_url(job_id, state, items[_PAGE_ITEMS - 1].position) if more else "",
        of_accounts=found.job.kind in _TARGETS_ARE_ACCOUNTS,
        retried_as=found.job.arguments.get("retried_as", ""),
    )


@blueprint.post("/admin/jobs/<job_id>/cancel")
def cancel(job_id: str) -> Response:
    read_admin_form()
    job = _job(job_id)
    stopped = runtime().desk.jobs.cancel(job_id)
    if stopped:
        note_change("cancel job", job_id, {"kind": job.kind, "done": job.done, "of": job.total})
    if not wants_page():
        return json_response({"cancelled": stopped})
    if stopped:
        said(
            ngettext(
                "Stopped. %(num)d is done and stays done.",
                "Stopped. %(num)d are done and stay done.",
                job.done,
            )
        )
    return see_other(url_for("jobs.one", job_id=job_id))


@blueprint.post("/admin/jobs/<job_id>/retry")
def retry(job_id: str) -> Response:
    read_admin_form()
    job = _job(job_id)
    again = runtime().desk.jobs.retry_failed(job_id, admin_actor())
    note_change("retry job", job_id, {"as": again, "items": job.failed})
    if not wants_page():
        return json_response({"job_id": again})
    return see_other(url_for("jobs.one", job_id=again))


@blueprint.get("/admin/jobs/<job_id>/result.csv")
def result(job_id: str) -> Response:
    job = _job(job_id)
    rows = (
        (item.position + 1, item.target, item.label, item.state, item.detail)
        for item in _all_items(runtime().desk.jobs, job_id)
    )
    return csv_response(f"{job.job_id}", ("number", "id", "name", "state", "detail"), rows)


# --- in words


def shown(job: JobView) -> Shown:
    role, glyph, state = _state_words(job)
    return Shown(job, title_of(job), role, glyph, state, progress_of(job, time.time()))


def title_of(job: JobView) -> str:
    match job.kind:
        case "renew":
            return ngettext("Renew %(num)d account", "Renew %(num)d accounts", job.total)
        case "check":
            return ngettext("Check %(num)d account", "Check %(num)d accounts", job.total)
        case _:
            return gettext("%(kind)s (%(num)d)", kind=job.kind, num=job.total)


def progress_of(job: JobView, now: float) -> str:
    """ "312 of 500 · 287 renewed · 18 failed · 7 skipped · about 40 s left"."""
    parts = [gettext("%(done)d of %(total)d", done=job.done, total=job.total)]
    if job.ok:
        parts.append(_done_words(job))
    if job.failed:
        parts.append(ngettext("%(num)d failed", "%(num)d failed", job.failed))
    if job.skipped:
        parts.append(ngettext("%(num)d skipped", "%(num)d skipped", job.skipped))
    if job.is_over and job.done < job.total:
        left = job.total - job.done
        parts.append(ngettext("%(num)d not begun", "%(num)d not begun", left))
    rest = seconds_left(job, now)
    if job.state == "running" and not job.is_held:
        parts.append(gettext("waiting for a worker to take it over"))
    if rest is not None:
        parts.append(gettext("about %(span)s left", span=_short_span(rest)))
    return " · ".join(parts)


def _done_words(job: JobView) -> str:
    match job.kind:
        case "renew":
            return ngettext("%(num)d renewed", "%(num)d renewed", job.ok)
        case "check":
            return ngettext("%(num)d checked", "%(num)d checked", job.ok)
        case _:
            return ngettext("%(num)d done", "%(num)d done", job.ok)


def seconds_left(job: JobView, now: float) -> float | None:
    """At the pace so far; None while that cannot be told, or is of no interest any more."""
    if not (job.state == "running" and job.is_held) or job.cancelled or job.started_at is None:
        return None
    if job.done < _ENOUGH_FOR_A_GUESS or job.done >= job.total:
        return None
    return max(1.0, (now - job.started_at) / job.done * (job.total - job.done))


def _short_span(seconds: float) -> str:
    if seconds >= _CLOSE_SECONDS:
        return span(seconds)
    steps = 5 if seconds > 10 else 1  # a number that dances tells nothing
    return gettext("%(number)s s", number=str(max(1, round(seconds / steps) * steps)))


def _state_words(job: JobView) -> tuple[str, str, str]:
    match job.state:
        case "waiting":
            return "off", "clock", gettext("Waiting")
        case "running" if job.cancelled:
            return "wait", "stop", gettext("Stopping")
        case "running":
            return "busy", "spinner", gettext("Running")
        case "cancelled":
            return "off", "stop", gettext("Stopped")
        case "failed":
            return "bad", "warning", gettext("Broken off")
        case _ if job.failed:
            return "wait", "warning", gettext("Done, some failed")
        case _:
            return "ok", "check", gettext("Done")


def item_words(state: ItemState, job: JobView) -> tuple[str, str, str]:
    """Role, glyph and word of one thing."""
    match state:
        case "done":
            return "ok", "check", gettext("Done")
        case "failed":
            return "bad", "warning", gettext("Failed")
        case "skipped":
            return "off", "chevron", gettext("Skipped")
        case "running":
            return "busy", "spinner", gettext("Under way")
        case _ if job.is_over:
            return "off", "stop", gettext("Not begun")
        case _:
            return "off", "clock", gettext("Waiting")


# --- parts


@dataclass(frozen=True, slots=True)
class _Chip:
    label: str
    href: str
    active: bool
    count: int
    name: str
    shown: bool


def _chips(job: JobView, state: ItemState | None) -> list[_Chip]:
    """All there may be: while the job runs, those that come to something are shown by the script."""
    labels: list[tuple[ItemState | None, str]] = [
        (None, gettext("All")),
        ("failed", gettext("Failed")),
        ("skipped", gettext("Skipped")),
        ("done", gettext("Done")),
        ("waiting", gettext("Not begun") if job.is_over else gettext("Waiting")),
    ]
    counts = _counts(job)
    chips = []
    for name, label in labels:
        count = counts[name or "all"]
        is_shown = bool(count) or name in (None, state)
        if is_shown or not job.is_over:
            url = _items_url(job.job_id, name)
            chips.append(_Chip(label, url, name == state, count, name or "all", is_shown))
    return chips


def _counts(job: JobView) -> dict[str, int]:
    """By the state of its items; those under way are among those that wait."""
    return {
        "all": job.total,
        "failed": job.failed,
        "skipped": job.skipped,
        "done": job.ok,
        "waiting": job.total - job.done,
    }


def _items_url(job_id: str, state: ItemState | None, after: int | None = None) -> str:
    return url_for("jobs.one", job_id=job_id, state=state, after=after)


def _wanted_items() -> tuple[ItemState | None, int]:
    state = request.args.get("state", "")
    known = next((name for name in get_args(ItemState) if name == state), None)
    if state and known is None:
        raise RequestError("The parameter 'state' is no state of an item.", param="state")
    after = request.args.get("after", -1, type=int)
    return known, max(-1, min(after, 2**31 - 1))


def _job(job_id: str) -> JobView:
    found = runtime().desk.jobs.get(job_id)
    if found is None:
        raise NotFound("There is no such job.")
    return found


def _all_items(book: JobBook, job_id: str) -> Iterator[JobItem]:
    """Read while the answer is sent, when the request is over."""
    after = -1
    while items := book.items(job_id, None, after, _CSV_ITEMS):
        yield from items
        after = items[-1].position


def _document(found: Shown) -> dict[str, object]:
    job = found.job
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "state": job.state,
        "cancelled": job.cancelled,
        "total": job.total,
        "done": job.done,
        "ok": job.ok,
        "failed": job.failed,
        "skipped": job.skipped,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at) if job.started_at else None,
        "ended_at": iso(job.ended_at) if job.ended_at else None,
        "message": job.message,
        "is_over": job.is_over,
        "text": found.progress,
        "word": found.state,
        "counts": _counts(job),
    }
