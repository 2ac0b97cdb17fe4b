"""The accounts under `chatgpts` of a YAML file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from chat2api.secret import Secret
from chat2api.settings.bearer import strip_bearer
from chat2api.settings.checks import is_proxy
from chat2api.settings.entry import ENTRY_FIELDS, SECRET_FIELDS, ChatGptEntry
from chat2api.settings.problems import Problem
from chat2api.settings.variables import unknown_message
from chat2api.settings.yaml_place import Place

_TIMES = ("last_refresh", "expired")


def read_entries(value: object, place: Place, problems: list[Problem]) -> tuple[ChatGptEntry, ...]:
    """Every account that can be used. Mistakes become problems; an entry without a token is none."""
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.append(place.problem("must be a list of accounts"))
        return ()
    entries = [_read_entry(item, place.at(i), problems) for i, item in enumerate(value)]
    return tuple(entry for entry in entries if entry is not None)


def _read_entry(item: object, place: Place, problems: list[Problem]) -> ChatGptEntry | None:
    if item is None:
        return None
    if not isinstance(item, dict):
        problems.append(place.problem("must hold `name: value` lines"))
        return None
    unknown = [key for key in item if key not in ENTRY_FIELDS]
    problems.extend(
        place.at(key).problem(unknown_message(str(key), ENTRY_FIELDS)) for key in unknown
    )
    texts = _texts(item, place, problems)
    if unknown or texts is None:
        return None
    # Files of other programs keep entries whose tokens are yet to come, or are gone.
    return make_entry(texts) if texts["access_token"] or texts["refresh_token"] else None


def _texts(item: Mapping[Any, Any], place: Place, problems: list[Problem]) -> dict[str, str] | None:
    """All fields as text, empty when not given; None when one of them is wrong."""
    texts = {}
    is_fine = True
    for name in ENTRY_FIELDS:
        try:
            texts[name] = entry_text(name, item.get(name))
        except ValueError as error:
            problems.append(place.at(name).problem(str(error)))
            is_fine = False
    return texts if is_fine else None


def entry_text(name: str, value: object) -> str:
    """One field of an account as it is kept. Raises ValueError."""
    if name in _TIMES and isinstance(value, dt.date):  # also a datetime: YAML reads plain ones so
        return value.isoformat()
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("must be text; put the value in quotes")
    text = strip_bearer(value) if name == "access_token" else value.strip()
    if not text.isprintable():
        raise ValueError("must not contain line breaks or control characters")
    return is_proxy(Secret(text)).reveal() if name == "proxy" and text else text


def make_entry(texts: Mapping[str, str]) -> ChatGptEntry:
    """An account from the texts of all its fields."""
    hidden = (*SECRET_FIELDS, "proxy")
    values: dict[str, Any] = {
        name: Secret(text) if name in hidden else text for name, text in texts.items()
    }
    return ChatGptEntry(**values)
