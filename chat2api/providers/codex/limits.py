"""How much of an account's allowance is used: headers of answers, events, `wham/usage`. Pure.

Allowances come in families, each with up to two windows of any length; the one named `codex` is nearly every
model's. Keys of families are those of `Target.family`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chat2api.pool.values import Quota, QuotaWindow
from chat2api.providers.chatgpt import resets
from chat2api.providers.codex.models import FAMILY
from chat2api.providers.protocol import AccountCheck

_HEADER = re.compile(
    r"x-(?P<family>[a-z0-9-]{1,64}?)-(?P<which>primary|secondary)-"
    r"(?P<fact>used-percent|window-minutes|reset-at|reset-after-seconds)"
)
_WINDOWS = ("primary", "secondary")
_MOST_FAMILIES = 10
_LONGEST = 200
_UNTOLD_SECONDS = 3600.0
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Window:
    """`seconds` is its length, `resets_at` in epoch seconds; None where nobody says."""

    used_percent: float
    seconds: float | None = None
    resets_at: float | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """One allowance. `refused`: the upstream says in so many words that it takes no more."""

    key: str
    windows: tuple[Window, ...]
    refused: bool = False

    def blocked_until(self, now: float) -> float | None:
        """When it serves again; None if it does now."""
        spent = [window for window in self.windows if window.used_percent >= 100.0]
        if not spent and not self.refused:
            return None
        ends = [one.resets_at for one in spent or self.windows if one.resets_at is not None]
        until = max(ends, default=now + _UNTOLD_SECONDS)
        return until if until > now else None


@dataclass(frozen=True, slots=True)
class Allowance:
    """All that was told. `endless`: what is used beyond it is paid for, so nothing stops it."""

    families: tuple[Family, ...]
    plan: str = ""
    email: str = ""
    endless: bool = False

    def blocked(self, now: float) -> dict[str, float]:
        """The families that serve no more, with when they will."""
        found = {one.key: one.blocked_until(now) for one in self.families if not self.endless}
        return {key: until for key, until in found.items() if until is not None}

    def check(self, now: float) -> AccountCheck:
        """As what is known of an account."""
        windows = [
            QuotaWindow(
                _named(family.key, window.seconds),
                used_percent=min(max(window.used_percent, 0.0), 100.0),
                resets_at=window.resets_at,
            )
            for family in self.families
            for window in family.windows
        ]
        return AccountCheck(self.email, self.plan, Quota(tuple(windows)), self.blocked(now))


def read_headers(headers: Mapping[str, str], now: float) -> Allowance | None:
    """Of any answer; None if it says nothing of limits."""
    lower = {name.lower(): value for name, value in headers.items()}
    facts: dict[str, dict[str, dict[str, str]]] = {}
    for name, value in lower.items():
        found = _HEADER.fullmatch(name)
        if found is not None and (found["family"] in facts or len(facts) < _MOST_FAMILIES):
            windows = facts.setdefault(found["family"], {})
            windows.setdefault(found["which"], {})[found["fact"]] = value
    families = [
        Family(
            _key(lower.get(f"x-{family}-limit-name"), family),
            tuple(_header_windows(windows, now)),
        )
        for family, windows in facts.items()
    ]
    if not families:
        return None
    endless = "true" in (
        lower.get("x-codex-credits-has-credits", "").lower(),
        lower.get("x-codex-credits-unlimited", "").lower(),
    )
    return Allowance(_ordered(families), _text(lower.get("x-codex-plan-type")), endless=endless)


def _header_windows(windows: Mapping[str, Mapping[str, str]], now: float) -> Iterator[Window]:
    for which in _WINDOWS:
        facts = windows.get(which, {})
        minutes = _number(facts.get("window-minutes"))
        ends = facts.get("reset-at") or facts.get("reset-after-seconds")
        yield from _window(facts.get("used-percent"), minutes and minutes * _MINUTE, ends, now)


def read_event(event: Mapping[str, Any], now: float) -> Allowance | None:
    """Of a `codex.rate_limits` event; None if it says nothing."""
    limits = _fields(event.get("rate_limits"))
    windows: list[Window] = []
    for which in _WINDOWS:
        window = _fields(limits.get(which))
        minutes = _number(window.get("window_minutes"))
        ends = window.get("reset_at") or window.get("reset_after_seconds")
        windows += _window(window.get("used_percent"), minutes and minutes * _MINUTE, ends, now)
    if not windows:
        return None
    family = Family(
        _key(event.get("limit_name"), _text(event.get("metered_limit_name")) or FAMILY),
        tuple(windows),
        _is_refused(limits),
    )
    return Allowance(
        (family,), _text(event.get("plan_type")), endless=_is_endless(event.get("credits"))
    )


def read_usage(document: Any, now: float) -> Allowance:
    """Of `GET wham/usage`, any part of which may be null."""
    fields = _fields(document)
    families = [_usage_family(FAMILY, fields.get("rate_limit"), now)]
    more = fields.get("additional_rate_limits")
    for entry in (more if isinstance(more, list) else [])[:_MOST_FAMILIES]:
        feature = _text(_fields(entry).get("metered_feature"))
        name = _fields(entry).get("limit_name")
        if feature or _text(name):
            key = _key(name, feature or _text(name))
            families.append(_usage_family(key, _fields(entry).get("rate_limit"), now))
    return Allowance(
        _ordered([family for family in families if family.windows or family.refused]),
        _text(fields.get("plan_type")),
        _text(fields.get("email")),
        _is_endless(fields.get("credits")),
    )


def _usage_family(key: str, value: Any, now: float) -> Family:
    limit = _fields(value)
    windows: list[Window] = []
    for which in _WINDOWS:
        window = _fields(limit.get(f"{which}_window"))
        seconds = _number(window.get("limit_window_seconds"))
        ends = window.get("reset_at") or window.get("reset_after_seconds")
        windows += _window(window.get("used_percent"), seconds, ends, now)
    return Family(key, tuple(windows), _is_refused(limit))


# --- what they share


def _window(used: Any, seconds: float | None, ends: Any, now: float) -> Iterator[Window]:
    """None for a window that is not there: all its figures are zero."""
    percent = _number(used)
    resets_at = resets.moment(ends, now) if ends and _number(ends) != 0 else None
    if percent is not None and (percent or seconds or resets_at):
        yield Window(percent, seconds or None, resets_at)


def _is_refused(limit: Mapping[str, Any]) -> bool:
    return limit.get("allowed") is False or limit.get("limit_reached") is True


def _is_endless(credits: Any) -> bool:
    fields = _fields(credits)
    return fields.get("has_credits") is True or fields.get("unlimited") is True


def _ordered(families: Iterable[Family]) -> tuple[Family, ...]:
    """The shared one first; of two with one key the first."""
    unique: dict[str, Family] = {}
    for family in families:
        unique.setdefault(family.key, family)
    return tuple(sorted(unique.values(), key=lambda one: one.key != FAMILY))


def _key(name: Any, family: str) -> str:
    """Further families are named after their model; by their code name where that is not told."""
    plain = family.lower().replace("_", "-")
    if plain == FAMILY:
        return FAMILY
    return _text(name).lower().replace(" ", "-") or plain[:_LONGEST]


def _named(key: str, seconds: float | None) -> str:
    words = [key] if key != FAMILY else []
    span = _span(seconds)
    return " · ".join([*words, span] if span else words) or "-"


def _span(seconds: float | None) -> str:
    if seconds is None or seconds <= 0:
        return ""
    if seconds >= _DAY and seconds % _DAY == 0:
        return f"{seconds / _DAY:.0f} d"
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:.3g} h"
    return f"{seconds / _MINUTE:.3g} min"


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:_LONGEST].strip() if isinstance(value, str) and value.isprintable() else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e12 else None
