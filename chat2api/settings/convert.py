"""From what an operator wrote (text, or a YAML value) to what the model expects. Pure.

Strict on purpose: a switch that reads "ture" is a mistake to report, not a quiet False.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from chat2api.secret import Secret
from chat2api.settings.fields import FALSE_WORDS, TRUE_WORDS, Kind, SettingField

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def convert(field: SettingField, value: object) -> object:
    """`value` as the model takes it. Raises ValueError whose text completes "NAME: …"."""
    if isinstance(value, str):
        return _from_text(field, value.strip())
    return _from_yaml(field, value)


def _from_text(field: SettingField, text: str) -> object:
    match field.kind:
        case Kind.BOOL:
            return _switch(field, text)
        case Kind.INT:
            return int(_matching(_WHOLE, field, text))
        case Kind.FLOAT:
            return float(_matching(_DECIMAL, field, text))
        case Kind.CHOICE:
            return text.lower()
        case Kind.LIST:
            return _wrapped(field, split_list(text))
        case Kind.MAPPING:
            return _mapping(field, _json_object(field, text))
        case Kind.TEXT | Kind.PATH:
            _refuse_control(text)
            return Secret(text) if field.secret else text
        case Kind.ENTRIES:
            raise ValueError(f"must be {field.allowed}")


def _from_yaml(field: SettingField, value: object) -> object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match field.kind:
        case Kind.BOOL if isinstance(value, bool):
            return value
        case Kind.INT if is_number and isinstance(value, int):
            return value
        case Kind.FLOAT if is_number:
            return value
        case Kind.LIST if isinstance(value, list | tuple):
            return _wrapped(field, _texts(value))
        case Kind.MAPPING if isinstance(value, dict):
            return _mapping(field, value)
        case Kind.ENTRIES if isinstance(value, tuple):
            return value  # read and checked with the file, where each part has a line
        case Kind.TEXT | Kind.CHOICE | Kind.PATH | Kind.LIST:
            # YAML turns 000032 into 32 and 1e3 into 1000.0: only quotes keep what was meant.
            raise ValueError(f"must be {field.allowed}; put the value in quotes")
        case _:
            raise ValueError(f"must be {field.allowed}")


def split_list(text: str) -> list[str]:
    """Items of a list written with commas or line breaks, as JSON array or as Python list."""
    if text.startswith("[") and text.endswith("]"):
        return _bracketed(text)
    return [item for part in re.split(r"[,\r\n]", text) if (item := part.strip())]


def _bracketed(text: str) -> list[str]:
    items: Any
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        try:
            items = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise ValueError("is neither a JSON array nor a list separated by commas") from None
    return _texts(items)


def _texts(items: Any) -> list[str]:
    if not all(isinstance(item, str) for item in items):
        raise ValueError("every item of the list must be text; put it in quotes")
    return [stripped for item in items if (stripped := item.strip())]


def _wrapped(field: SettingField, items: list[str]) -> tuple[object, ...]:
    for item in items:
        _refuse_control(item)
    distinct = tuple(dict.fromkeys(items))
    return tuple(Secret(item) for item in distinct) if field.secret else distinct


def _mapping(field: SettingField, value: dict[Any, Any]) -> dict[str, str]:
    if not all(isinstance(part, str) for pair in value.items() for part in pair):
        raise ValueError(f"must be {field.allowed}; put numbers and switches in quotes")
    for pair in value.items():
        for part in pair:
            _refuse_control(part)
    return {str(key): str(text) for key, text in value.items()}


def _json_object(field: SettingField, text: str) -> dict[Any, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"must be {field.allowed}")
    return value


def _switch(field: SettingField, text: str) -> bool:
    word = text.lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(f"must be {field.allowed}")


def _matching(pattern: re.Pattern[str], field: SettingField, text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"must be {field.allowed}")
    return text


def _refuse_control(text: str) -> None:
    # Many settings travel in headers; a line break there would start a header of its own.
    if _CONTROL.search(text):
        raise ValueError("must not contain control characters")
