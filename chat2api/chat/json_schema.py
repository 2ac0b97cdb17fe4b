"""Checks values against JSON Schemas that strangers wrote. Pure; nothing is ever fetched.

A part of a schema that makes no sense (an unknown type, a reference that leads nowhere, a broken regular
expression) checks nothing. Checking can take long, where regular expressions, references or unevaluated
properties are in play exponentially long; whoever calls has to bound it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from referencing import Registry

_MOST_PROBLEMS = 5
_MOST_CHARACTERS = 240
_NULLABLE_KEYWORDS = ("type", "enum", "const")


def problems(schema: Any, value: Any) -> list[str]:
    """What is wrong with `value`, in short sentences that begin with a path; the first few of them."""
    if not isinstance(schema, Mapping):
        return []
    found: list[str] = []
    try:
        for error in _errors(schema, value):
            found.append(_told(error))
            if len(found) == _MOST_PROBLEMS:
                break
    except Exception:  # noqa: BLE001 - the schema's own fault, which shows as almost anything
        return found
    return found


def _errors(schema: Mapping[str, Any], value: Any) -> Iterator[ValidationError]:
    checker = _tolerant(_draft(schema))
    return checker(schema, registry=Registry()).iter_errors(value)


def _draft(schema: Mapping[str, Any]) -> type[Validator]:
    if not isinstance(schema.get("$schema", ""), str):
        return Draft202012Validator
    return validator_for(schema, default=Draft202012Validator)


@functools.cache
def _tolerant(draft: type[Validator]) -> type[Validator]:
    """The same draft, with the `nullable` of OpenAPI 3.0."""
    known = draft.VALIDATORS
    checks = {key: _nullable(known[key]) for key in _NULLABLE_KEYWORDS if key in known}
    extended: type[Validator] = extend(draft, checks)  # type: ignore[no-untyped-call]
    return extended


def _nullable(check: Any) -> Any:
    def checked(validator: Any, wanted: Any, value: Any, schema: Any) -> Any:
        if value is None and schema.get("nullable") is True:
            return ()
        return check(validator, wanted, value, schema) or ()

    return checked


def _told(error: ValidationError) -> str:
    """Of alternatives that all fail, what is wrong with the nearest."""
    nearest = best_match([error]) or error
    path = ""
    for step in nearest.absolute_path:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    message = nearest.message
    if len(message) > _MOST_CHARACTERS:
        # The value stands first in these messages, what is wrong with it last.
        half = _MOST_CHARACTERS // 2
        message = f"{message[:half]} … {message[-half:]}"
    return f"{path}: {message}" if path else message
