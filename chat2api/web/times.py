"""Moments and spans as people read them, in their language and zone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import flask_babel  # type: ignore[import-untyped]
from babel.dates import format_skeleton, format_time

from chat2api.web.languages import gettext, ngettext

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400


def iso(at: float) -> str:
    """For the `datetime` attribute: "2026-11-28T21:14:00Z"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_time(at: float) -> str:
    """ "21:14": hours to 24 in every language, since columns of times are compared."""
    return _clock(at, "HH:mm")


def short_time(at: float) -> str:
    """ "21:14" today, "Nov 19, 21:14" on other days, "Nov 19, 2024" in other years."""
    return _short(at, "HH:mm")


def _short(at: float, form: str) -> str:
    when, now = _local(at), _local(time.time())
    if when.date() == now.date():
        return _clock(at, form)
    locale = flask_babel.get_locale()
    if when.year != now.year and abs(when - now) > timedelta(days=180):
        return str(format_skeleton("yMMMd", when, locale=locale))
    return gettext(
        "%(day)s, %(time)s",
        day=format_skeleton("MMMd", when, locale=locale),
        time=_clock(at, form),
    )


def _clock(at: float, form: str) -> str:
    return str(format_time(_local(at), form, locale=flask_babel.get_locale()))


def soon_time(at: float, since: float | None = None) -> str:
    """A short time, with its seconds where it is within two minutes after `since` (now): "21:14:05"."""
    is_soon = 0 <= at - (time.time() if since is None else since) < 2 * _MINUTE
    return _short(at, "HH:mm:ss" if is_soon else "HH:mm")


def how_long_ago(at: float) -> str:
    """ "4 min ago"; a moment that is still to come counts as now."""
    seconds = time.time() - at
    if seconds < _MINUTE:
        return gettext("just now")
    return gettext("%(span)s ago", span=span(seconds))


def span(seconds: float) -> str:
    """The two largest units: "4 min", "3 h 10 min", "2 d 4 h"; parts of a minute count as one."""
    minutes = max(1, round(seconds / _MINUTE))
    if minutes < 60:
        return _minutes(minutes)
    if minutes < 48 * 60:
        hours, rest = divmod(minutes, 60)
        return _both(_hours(hours), _minutes(rest) if rest else "")
    days, rest = divmod(round(seconds / _HOUR), 24)
    return _both(_days(days), _hours(rest) if rest and days < 4 else "")


def _minutes(number: int) -> str:
    return ngettext("%(num)d min", "%(num)d min", number)


def _hours(number: int) -> str:
    return ngettext("%(num)d h", "%(num)d h", number)


def _days(number: int) -> str:
    return ngettext("%(num)d d", "%(num)d d", number)


def _both(first: str, second: str) -> str:
    return gettext("%(first)s %(second)s", first=first, second=second) if second else first


def seconds_text(seconds: float) -> str:
    """ "0.42 s", "8.1 s", "95 s"."""
    digits = 2 if seconds < 1 else 1 if seconds < 10 else 0
    return gettext("%(number)s s", number=f"{seconds:.{digits}f}")


def _local(at: float) -> datetime:
    zone = ZoneInfo(str(flask_babel.get_timezone()))
    return datetime.fromtimestamp(at, UTC).astimezone(zone)
