"""The frame of the operator's pages: who may see them, what stands around them, what was just done.

A page module makes its blueprint here and renders with `render_desk`. Looking needs a session (or a
bearer); changing goes through `forms.read_admin_form`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, current_app, g, request, url_for

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.web.admin_auth import Admin, require_admin
from chat2api.web.cookies import send_cookie
from chat2api.web.desk.health import health
from chat2api.web.desk.settings_words import trouble_words
from chat2api.web.languages import gettext, ngettext
from chat2api.web.page_errors import show_failures_as_pages
from chat2api.web.pages import render_page
from chat2api.web.state import runtime

_COOKIE = "told"
_TOLD_SECONDS = 120.0
_MOST_UNDONE = 500
_IN_THE_BAR = frozenset({"overview", "accounts", "keys", "requests"})


def desk_blueprint(name: str, module: str) -> Blueprint:
    """A blueprint of pages for the operator alone: nobody else gets as far as a view that looks."""
    made = Blueprint(name, module)
    show_failures_as_pages(made)

    @made.before_request
    def only_for_the_operator() -> None:
        # What changes something reads its form first, for the token in it: `read_admin_form`.
        if request.method in ("GET", "HEAD"):
            require_admin()

    return made


def render_desk(template: str, *, nav: str, status: int = 200, **values: Any) -> Response:
    """A page in the frame. `nav` names its place among the pages."""
    pages = _pages()
    told = _told()
    if told is not None:  # maybe by another process, which forgot its own numbers only
        runtime().desk.summary.forget()
    return render_page(
        template,
        status,
        style="desk.css",
        script="desk.js",
        nav=nav,
        pages=pages,
        later_pages=[page.name for page in pages if not page.first],
        pulse=pulse_now(),
        told=told,
        compact=request.cookies.get("rows") == "compact",
        **values,
    )


# --- the pages there are


@dataclass(frozen=True, slots=True)
class _Page:
    """`key` opens it after `g`; `first` ones stand in the bar of a phone."""

    name: str
    label: str
    icon: str
    href: str
    key: str
    first: bool = False


def _pages() -> list[_Page]:
    found = [
        ("overview", gettext("Overview"), "home", "desk.overview", "o"),
        ("accounts", gettext("Accounts"), "person", "accounts.page", "a"),
        ("keys", gettext("Keys"), "key", "keys.page", "k"),
        ("requests", gettext("Requests"), "route", "requests.page", "r"),
        ("add", gettext("Add accounts"), "add", "add.page", "n"),
        ("usage", gettext("Usage"), "chart", "usage.page", "u"),
        ("jobs", gettext("Jobs"), "tasks", "jobs.page", "j"),
        ("log", gettext("Live log"), "terminal", "log.page", "l"),
        ("audit", gettext("Audit"), "book", "audit.page", "d"),
        ("settings", gettext("Settings"), "gear", "settings.page", "s"),
        ("sessions", gettext("Sessions"), "people", "sessions.page", "e"),
    ]
    return [
        _Page(name, label, icon, url_for(endpoint), key, name in _IN_THE_BAR)
        for name, label, icon, endpoint, key in found
        if endpoint in current_app.view_functions  # TEMP while areas are being built
    ]


# --- what the header tells


@dataclass(frozen=True, slots=True)
class RunningJob:
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """`role`: ok, wait or bad. `problem` is one of the configuration file."""

    role: str
    short: str
    jobs: Sequence[RunningJob]
    problem: str
    degraded: bool


def pulse_now() -> Pulse:
    held = runtime()
    now = health()
    trouble = held.config.trouble
    problem = "" if trouble is None else trouble_words(trouble.message)
    return Pulse(now.role, now.short, _running(), problem, held.degraded())


def _running() -> list[RunningJob]:
    """Work under way, the logins among it; the page goes on where that cannot be told."""
    desk = runtime().desk
    try:
        jobs = desk.jobs.running()
        logins = desk.logins.running()
    except StorageUnavailable:
        return []
    told = [
        RunningJob(_job_text(job.done, job.total), url_for("jobs.one", job_id=job.job_id))
        for job in jobs
    ]
    told += [
        RunningJob(gettext("Waiting for a login"), url_for("logins.one", login_id=login.login_id))
        for login in logins
    ]
    if len(told) > 1:
        more = ngettext("%(num)d at work", "%(num)d at work", len(told))
        return [RunningJob(more, url_for("jobs.page")), *told]
    return told


def _job_text(done: int, total: int) -> str:
    return gettext("%(done)d of %(total)d", done=done, total=total)


# --- what was just done, told by the next page


@dataclass(frozen=True, slots=True)
class Told:
    """`undo_url` takes a POST with `undo_fields`; `href` leads to what `link` names. `role`: ok or bad."""

    text: str
    role: str = "ok"
    undo_url: str = ""
    undo_fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    href: str = ""
    link: str = ""


def said(
    text: str,
    undo: tuple[str, Mapping[str, str | Sequence[str]]] | None = None,
    *,
    role: str = "ok",
    href: str = "",
    link: str = "",
) -> None:
    """Have the next page say `text`, with a way back where there is one. It rests sealed till then."""
    url, fields = undo or ("", {})
    lists = {
        name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()
    }
    if sum(map(len, lists.values())) > _MOST_UNDONE:
        url, lists = "", {}
    told = {"text": text, "role": role, "undo": url, "fields": lists, "href": href, "link": link}
    try:
        ticket = runtime().desk.parcels.keep(
            "told", json.dumps(told), owner=_owner(), facts={}, seconds=_TOLD_SECONDS
        )
    except StorageUnavailable:
        return  # it was done all the same; the page shows it
    _send(ticket.reveal())


def _told() -> Told | None:
    ticket = request.cookies.get(_COOKIE)
    if not ticket:
        return None
    _send(None)
    try:
        found = runtime().desk.parcels.look(Secret(ticket), "told", _owner())
    except StorageUnavailable:
        return None
    if found is None:
        return None
    told = json.loads(found[1])
    return Told(
        told["text"], told["role"], told["undo"], told["fields"], told["href"], told["link"]
    )


def _owner() -> str:
    admin: Admin = g.chat2api_admin
    return admin.actor


def _send(ticket: str | None) -> None:
    send_cookie(_COOKIE, ticket, seconds=_TOLD_SECONDS)
