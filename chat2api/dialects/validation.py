"""Strict pydantic at the edge, with its findings retold in the words of the public API.

Objects that come in several kinds (messages, content parts, tools) are not pydantic unions: `choose`
picks the kind by its tag and `check` validates that one kind. So an error path holds only what the
caller wrote (`messages[3].content[0].type`) and never a name of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from chat2api.errors import MissingParameter, RequestError

T = TypeVar("T")
M = TypeVar("M", bound="Wire")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHOWN_CHARACTERS = 40


class Wire(BaseModel):
    """A JSON object of a request. No type is guessed from another; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def _is_plain(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("control characters and line breaks are not allowed")
    return value


def _is_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError("expected 1 to 64 letters, digits, '_' or '-'")
    return value


Name = Annotated[str, StringConstraints(max_length=256), AfterValidator(_is_plain)]
"""Short text that may travel in headers and log lines (fault matrix F14)."""

GivenName = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(_is_plain)
]
"""The same, and not empty."""

Id = Annotated[str, AfterValidator(_is_id)]
"""An identifier the upstream gave out."""


def check(model: type[M], value: object, path: str = "") -> M:
    """`value` as a `model`. Raises RequestError or MissingParameter, whose `param` starts at `path`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # One finding at a time, as the public API does.
        details = error.errors(include_url=False)[0]
        _refuse(details, _joined(path, details["loc"]))


def choose(kinds: Mapping[str, T], tag: str, value: object, path: str) -> T:
    """The entry of `kinds` that the `tag` field of the object `value` names."""
    name = tag_of(tag, value, path)
    if name not in kinds:
        raise unsupported(f"{path}.{tag}", name, list(kinds))
    return kinds[name]


def tag_of(tag: str, value: object, path: str) -> str:
    """The text in the `tag` field of the object `value`."""
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    tag_path = f"{path}.{tag}"
    if tag not in value:
        raise missing(tag_path)
    name = value[tag]
    if not isinstance(name, str):
        raise wrong_type(tag_path, "a string", name)
    return name


def missing(path: str) -> MissingParameter:
    return MissingParameter(f"Missing required parameter: '{path}'.", param=path)


def wrong_type(path: str, expected: str, value: object) -> RequestError:
    """`expected` with its article: "a string"."""
    got = f"expected {expected}, but got {_kind(value)} instead."
    if not path:
        return RequestError(f"Invalid request body: {got}")
    return RequestError(f"Invalid type for '{path}': {got}", param=path)


def unsupported(path: str, value: object, known: list[str]) -> RequestError:
    supported = ", ".join(map(repr, known))
    return RequestError(
        f"Invalid value: {_shown(value)}. Supported values are: {supported}.", param=path
    )


def invalid(path: str, reason: str) -> RequestError:
    """`reason` is a clause without a full stop."""
    return RequestError(f"Invalid '{path}': {reason}.", param=path)


_EXPECTED = {
    "bool_type": "a boolean",
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
}


def _refuse(details: ErrorDetails, path: str) -> NoReturn:
    kind, value, facts = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        raise missing(path)
    if kind in _EXPECTED:
        raise wrong_type(path, _EXPECTED[kind], value)
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(facts["expected"]))
        raise unsupported(path, value, known)
    raise invalid(path, _reason(kind, value, facts))


def _reason(kind: str, value: Any, facts: Mapping[str, Any]) -> str:
    match kind:
        case "greater_than_equal":
            return (
                f"{_number(value)} below minimum. Expected a value >= {facts['ge']:g}{_got(value)}"
            )
        case "less_than_equal":
            return (
                f"{_number(value)} above maximum. Expected a value <= {facts['le']:g}{_got(value)}"
            )
        case "finite_number":
            return "expected a finite number"
        case "too_short":
            return f"empty array. Expected at least {facts['min_length']} item"
        case "too_long":
            return (
                f"array too long. Expected an array with maximum length {facts['max_length']}, "
                f"but got an array with length {len(value)} instead"
            )
        case "string_too_short":
            return "empty string. Expected at least one character"
        case "string_too_long":
            return (
                f"string too long. Expected a string with maximum length {facts['max_length']}, "
                f"but got a string with length {len(value)} instead"
            )
        case "value_error":
            return str(facts["error"])
        case _:
            return "the value is not acceptable"


def _number(value: object) -> str:
    return "integer" if isinstance(value, int) else "decimal"


def _got(value: int | float) -> str:
    """The number, unless it is too long to be worth showing."""
    return f", but got {value} instead" if abs(value) < 1e15 else ""


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _shown(value: object) -> str:
    """The caller's own word, escaped and shortened; other types by their name."""
    if not isinstance(value, str):
        return _kind(value)
    return repr(value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "…")


def _joined(path: str, location: tuple[int | str, ...]) -> str:
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            path += f".{step}" if path else step
    return path
