"""When a limit is over: reads reset times out of refusals, in all the spellings met (sheet 10.3). Pure.

Everything here answers in seconds from `now` (epoch seconds) and never raises for odd input: numbers as
strings, epochs in milliseconds, dates without a zone, nonsense.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SHORTEST = 1.0
LONGEST_BY_HEADER = DAY
LONGEST_BY_BODY = 8 * DAY  # a weekly plan limit, and a day of slack

# Read as a span, or as a moment when they look like one; then as a moment, or as a span when too small.
_SPANS = ("clears_in", "resets_in_seconds", "retry_after", "reset_after", "resets_after")
_MOMENTS = ("resets_at", "reset_at", "restore_at")

_LARGEST_SPAN = 30 * DAY  # a number under this is a span even in a field of moments
_SMALLEST_EPOCH = 1e9  # and a number from here on is a moment even in a field of spans
_SMALLEST_EPOCH_MS = 1e11

_FARTHEST = 3660 * DAY

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1.0}
_UNIT = r"(?:days?|d|hours?|hrs?|hr?|minutes?|mins?|m|seconds?|secs?|s)(?![a-z])"
_NUMBER = r"\d{1,9}(?:\.\d{1,9})?"
_SPAN = re.compile(rf"(?:({_NUMBER})\s*|\b(?:an?|one)\s+)({_UNIT})", re.IGNORECASE)
_WHOLE_SPAN = re.compile(rf"\s*(?:{_NUMBER}\s*{_UNIT}[\s,]*)+", re.IGNORECASE)
_SPAN_IN_TEXT = re.compile(
    rf"\b(?:in|after|wait(?:\s+for)?)\s+(?:about\s+|another\s+)?"
    rf"((?:(?:{_NUMBER}\s*|(?:an?|one)\s+){_UNIT}[\s,]*(?:and\s+)?){{1,4}})",
    re.IGNORECASE,
)


def seconds_in_body(objects: Iterable[Mapping[str, Any]], now: float) -> float | None:
    """The first reset time that one of the objects states, clamped to [1 s, 8 days]."""
    for fields in objects:
        for name in _SPANS:
            found = _span_or_moment(fields.get(name), now)
            if found is not None:
                return _clamp(found, LONGEST_BY_BODY)
        for name in _MOMENTS:
            found = _moment_or_span(fields.get(name), now)
            if found is not None:
                return _clamp(found, LONGEST_BY_BODY)
    return None


def seconds_in_header(value: str | None, now: float) -> float | None:
    """`Retry-After` as seconds or as an HTTP date, clamped to [1 s, 24 h]."""
    found = _span_or_moment(value, now)
    return None if found is None else _clamp(found, LONGEST_BY_HEADER)


def seconds_in_text(text: str) -> float | None:
    """A span in a sentence ("try again in 20 minutes"), clamped to [1 s, 8 days]."""
    match = _SPAN_IN_TEXT.search(text)
    return None if match is None else _clamp(_sum_of_spans(match[1]), LONGEST_BY_BODY)


def moment(value: Any, now: float) -> float | None:
    """One stated reset time in epoch seconds, however it is spelled; None for nonsense."""
    found = _moment_or_span(value, now)
    if found is None or not -_FARTHEST < found < _FARTHEST:
        return None
    return now + found


def _span_or_moment(value: Any, now: float) -> float | None:
    number = _number(value)
    if number is not None:
        return _until(number, now) if number >= _SMALLEST_EPOCH else number
    return _words(value, now)


def _moment_or_span(value: Any, now: float) -> float | None:
    number = _number(value)
    if number is not None:
        return number if number < _LARGEST_SPAN else _until(number, now)
    return _words(value, now)


def _until(epoch: float, now: float) -> float:
    return (epoch / 1000 if epoch >= _SMALLEST_EPOCH_MS else epoch) - now


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number


def _words(value: Any, now: float) -> float | None:
    """A span in letters ("1h2m") or a date (ISO 8601 or HTTP; without a zone it is UTC)."""
    if not isinstance(value, str):
        return None
    if _WHOLE_SPAN.fullmatch(value):
        return _sum_of_spans(value)
    moment = _date(value.strip())
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp() - now


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None


def _sum_of_spans(text: str) -> float:
    """Each amount times its unit; "a", "an" and "one" are one."""
    return sum(float(number or 1) * _UNITS[unit[0].lower()] for number, unit in _SPAN.findall(text))


def _clamp(seconds: float, longest: float) -> float:
    return min(max(seconds, SHORTEST), longest)
