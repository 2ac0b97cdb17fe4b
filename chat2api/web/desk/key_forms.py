"""The form of a key: what a person typed, what it means, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chat2api.errors import RequestError
from chat2api.store.api_keys import SCOPES, ApiKey
from chat2api.web.forms import Form
from chat2api.web.languages import gettext, time_zone

_LONGEST_NUMBER = 20


@dataclass(frozen=True, slots=True)
class KeyFields:
    """As typed, to be shown again when something is wrong. `scopes` are the ticked ones."""

    label: str = ""
    scopes: frozenset[str] = frozenset(SCOPES)
    models: str = ""
    requests_per_minute: str = ""
    daily_tokens: str = ""
    expires: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


def fields_of(key: ApiKey) -> KeyFields:
    """What the form shows of a key that exists."""
    return KeyFields(
        label=key.label,
        scopes=frozenset(key.scopes or SCOPES),
        models="\n".join(key.models),
        requests_per_minute=_text(key.requests_per_minute),
        daily_tokens=_text(key.daily_tokens),
        expires=_date_of(key.expires_at),
    )


def read_fields(form: Form, before: KeyFields | None = None) -> KeyFields:
    """What was sent; what was not sent is as `before`. A page sends `form`, so that it can untick all."""
    held = before or KeyFields()

    def text(name: str, kept: str) -> str:
        sent = form.first(name)
        return kept if sent is None else sent.strip()

    scopes = frozenset(form.all("scope"))
    return KeyFields(
        label=text("label", held.label),
        scopes=scopes if scopes or form.first("form") == "whole" else held.scopes,
        models=held.models if form.first("models") is None else "\n".join(form.all("models")),
        requests_per_minute=text("requests_per_minute", held.requests_per_minute),
        daily_tokens=text("daily_tokens", held.daily_tokens),
        expires=text("expires", held.expires),
    )


def arguments(fields: KeyFields, before: ApiKey | None = None) -> dict[str, Any]:
    """For `ApiKeys.create` and `change`. Raises RequestError with the field as `param`."""
    if not fields.scopes:
        raise RequestError("Tick at least one scope.", param="scopes")
    return {
        "label": fields.label,
        # All of them is no limit: what later versions add is open as well.
        "scopes": () if fields.scopes == frozenset(SCOPES) else sorted(fields.scopes),
        "models": fields.models.splitlines(),
        "requests_per_minute": _number(fields.requests_per_minute, "requests_per_minute"),
        "daily_tokens": _number(fields.daily_tokens, "daily_tokens"),
        "expires_at": _end_of(fields.expires, before),
    }


def problem_text(param: str | None) -> str:
    """What is wrong with a field, for people."""
    match param:
        case "label":
            return gettext("Give it a name of 1 to 100 characters, all of them visible.")
        case "scopes":
            return gettext("Tick at least one.")
        case "models":
            return gettext("One a line, 100 at most, each of 200 visible characters at most.")
        case "expires_at":
            return gettext("Choose a day that is still to come.")
        case "requests_per_minute" | "daily_tokens":
            return gettext("A whole number from 1 on, or nothing for no limit.")
        case _:
            return gettext("This was not understood.")


def described(key: ApiKey) -> dict[str, object]:
    """For the audit."""
    return {
        "label": key.label,
        "scopes": sorted(key.scopes),
        "models": list(key.models),
        "requests_per_minute": key.requests_per_minute,
        "daily_tokens": key.daily_tokens,
        "expires_at": key.expires_at,
    }


def changes_between(before: ApiKey, after: ApiKey) -> dict[str, Sequence[object]]:
    """What differs: before and after, by name."""
    old, new = described(before), described(after)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _number(text: str, name: str) -> int | None:
    if not text:
        return None
    plain = text.replace(",", "").replace(" ", "")
    if not (plain.isascii() and plain.isdigit() and len(plain) <= _LONGEST_NUMBER):
        raise RequestError("This must be a whole number.", param=name)
    return int(plain)


# --- a key ends with a day of whoever chose it


def _date_of(at: float | None) -> str:
    """The last day on which the key is valid, whole or in part."""
    if at is None:
        return ""
    return (datetime.fromtimestamp(at, _zone()) - timedelta(microseconds=1)).date().isoformat()


def _end_of(text: str, before: ApiKey | None) -> float | None:
    """The end of that day; where the day is as it was, the moment is as well."""
    if not text:
        return None
    if before is not None and text == _date_of(before.expires_at):
        return before.expires_at
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
        return datetime.combine(after, time(), _zone()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise RequestError("This is not a day.", param="expires_at") from None


def _zone() -> ZoneInfo:
    return ZoneInfo(time_zone())
