"""What needs a person, each with its cure; points that can wait may be put off."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import url_for

from chat2api.errors import StorageUnavailable
from chat2api.service.outlook import Outlook
from chat2api.store.schedule import FORCED_REFRESH
from chat2api.web.auth import caller_origin, is_https
from chat2api.web.desk.health import health
from chat2api.web.languages import gettext, ngettext
from chat2api.web.state import runtime
from chat2api.web.times import span

REMINDABLE = frozenset({"weak_secret", "plain_http", "no_backup", "refresh_overdue", "ending"})

_BACKUP = "python -m chat2api backup backup.tar.gz"
_WEEK_SECONDS = 7 * 86_400.0
_FORCED_EVERY_SECONDS = 4 * 86_400.0
_LATE_SECONDS = 86_400.0
_CLOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Need:
    """`role`: bad or wait. `href` leads to the cure, `cure` names it; `command` is one for the server's shell."""

    name: str
    role: str
    text: str
    cure: str = ""
    href: str = ""
    command: str = ""

    @property
    def can_wait(self) -> bool:
        return self.name in REMINDABLE


def needs(outlook: Outlook | None) -> list[Need]:
    """The gravest first. What cannot be found out now is left out."""
    try:
        resting = runtime().desk.reminders.resting()
    except StorageUnavailable:
        resting = frozenset()
    return [need for need in _all(outlook) if not (need.can_wait and need.name in resting)]


def _all(outlook: Outlook | None) -> Iterator[Need]:
    yield from _of_accounts(outlook)
    yield from _of_safety()
    try:
        yield from _of_upkeep()
    except StorageUnavailable:
        return


def _of_accounts(outlook: Outlook | None) -> Iterator[Need]:
    counts = health().counts
    if counts is not None and counts.failed:
        text = ngettext(
            "%(num)d account needs a new login.",
            "%(num)d accounts need a new login.",
            counts.failed,
        )
        yield Need("login", "bad", text, gettext("Log in again now"), url_for("logins.again"))
    if outlook is not None and outlook.ending:
        text = ngettext(
            "%(num)d account expires within 2 days and cannot renew.",
            "%(num)d accounts expire within 2 days and cannot renew.",
            outlook.ending,
        )
        href = url_for("accounts.page", expires="soon")
        yield Need("ending", "wait", text, gettext("Show them"), href)


def _of_safety() -> Iterator[Need]:
    if runtime().administration.access.weak:
        yield Need(
            "weak_secret",
            "wait",
            gettext(
                "ADMIN_PASSWORD is not set: whoever has an API key can administer this server."
            ),
            gettext("How to set it"),
            url_for("settings.page") + "#effective",
        )
    offset = runtime().desk.far_clock.offset
    if offset is not None and abs(offset) > _CLOCK_SECONDS:
        yield Need("clock", "bad", _clock_text(offset))
    if not is_https() and not _is_near():
        yield Need(
            "plain_http",
            "wait",
            gettext("This page came over plain http: your password travels unprotected."),
        )


def _clock_text(offset: float) -> str:
    """A clock that is wrong renews tokens too late, or takes good ones for ended."""
    if offset > 0:
        return gettext(
            "This server's clock is ahead of upstream's by %(span)s: set it right, else tokens seem to end early.",
            span=span(offset),
        )
    return gettext(
        "This server's clock is behind upstream's by %(span)s: set it right, else tokens are renewed too late.",
        span=span(-offset),
    )


def _of_upkeep() -> Iterator[Need]:
    held = runtime()
    now = time.time()
    if held.settings.scheduled_refresh:
        last = held.desk.schedule.last_run(FORCED_REFRESH)
        if last is not None and now - last > _FORCED_EVERY_SECONDS + _LATE_SECONDS:
            text = gettext(
                "The last renewal of all tokens was %(span)s ago; it should run every 4 days.",
                span=span(now - last),
            )
            href = url_for("log.page")
            yield Need("refresh_overdue", "wait", text, gettext("Look at the log"), href)
    counts = health().counts
    if counts is not None and counts.total and held.desk.backups.are_ours:
        saved = held.desk.backups.last()
        if saved is None or now - saved > _WEEK_SECONDS:
            yield Need("no_backup", "wait", _backup_text(saved, now), command=_BACKUP)


def _backup_text(saved: float | None, now: float) -> str:
    if saved is None:
        return gettext("No backup was made yet. On the server:")
    return gettext("The last backup is %(span)s old. On the server:", span=span(now - saved))


def _is_near() -> bool:
    """Whether the browser asks on this very machine, where nobody listens in."""
    try:
        host = urlsplit(caller_origin()).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
