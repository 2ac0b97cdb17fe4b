"""The upstreams under `providers.openai_compatible` of a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat2api.secret import Secret
from chat2api.settings.bearer import strip_bearer
from chat2api.settings.compatible_entry import (
    COMPATIBLE_FIELDS,
    DEFAULT_PRIORITY,
    HIGHEST_PRIORITY,
    CompatibleEntry,
    is_entry_address,
    is_entry_name,
    is_entry_proxy,
    is_model_name,
)
from chat2api.settings.convert import split_list
from chat2api.settings.problems import Problem
from chat2api.settings.variables import unknown_message
from chat2api.settings.yaml_place import Place


def read_compatible(
    value: object, place: Place, problems: list[Problem]
) -> tuple[CompatibleEntry, ...]:
    """Every upstream that is described well; mistakes become problems, also a name that stands twice."""
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.append(place.problem("must be a list of upstreams"))
        return ()
    entries: dict[str, CompatibleEntry] = {}
    for index, item in enumerate(value):
        here = place.at(index)
        entry = None if item is None else _read_entry(item, here, problems)
        if entry is None:
            continue
        if entry.name in entries:
            problems.append(
                here.at("name").problem("is the name of an entry above; each needs one")
            )
        entries[entry.name] = entry
    return tuple(entries.values())


def _read_entry(item: object, place: Place, problems: list[Problem]) -> CompatibleEntry | None:
    if not isinstance(item, dict):
        problems.append(place.problem("must hold `name: value` lines"))
        return None
    before = len(problems)
    for key in item:
        if key not in COMPATIBLE_FIELDS:
            message = unknown_message(str(key), COMPATIBLE_FIELDS)
            problems.append(place.at(key).problem(message))
    values = _values(item, place, problems)
    return CompatibleEntry(**values) if len(problems) == before else None


def _values(item: Mapping[Any, Any], place: Place, problems: list[Problem]) -> dict[str, Any]:
    """The fields that are given, and problems for what is wrong or missing."""
    values: dict[str, Any] = {}
    for name in COMPATIBLE_FIELDS:
        try:
            value = _field(name, item.get(name))
        except ValueError as error:
            problems.append(place.at(name).problem(str(error)))
            continue
        if value is not None:
            values[name] = value
        elif name in ("name", "base_url"):
            problems.append(place.problem(f"needs {name}"))
    return values


def _field(name: str, value: object) -> object:
    """One field as it is kept, None when it is not given. Raises ValueError."""
    if value is None or value == "":
        return None
    if name == "priority":
        return _priority(value)
    if name == "models":
        return _models(value)
    if not isinstance(value, str):
        raise ValueError("must be text; put the value in quotes")
    text = value.strip()
    if not text.isprintable():
        raise ValueError("must not contain line breaks or control characters")
    match name:
        case "name":
            return is_entry_name(text)
        case "base_url":
            return is_entry_address(text)
        case "api_key":
            return Secret(strip_bearer(text)) if text else None
        case _:
            return is_entry_proxy(Secret(text)) if text else None


def _priority(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > HIGHEST_PRIORITY:
        raise ValueError(
            f"must be a whole number from {-HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}; "
            f"lower is asked first, the accounts stand at 0, the default is {DEFAULT_PRIORITY}"
        )
    return value


def _models(value: object) -> tuple[str, ...] | None:
    items = split_list(value.strip()) if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError("must be a list of model names, or '*'; put names in quotes")
    names = dict.fromkeys(is_model_name(item.strip()) for item in items)
    return tuple(names) or None
