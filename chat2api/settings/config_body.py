"""Reading the administration's JSON: each value of the right type, or 400 that names its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from chat2api.errors import Conflict, RequestError
from chat2api.settings.mask import is_masked, mask_secret


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do with one secret: a new `value`, or `keep` the stored one, or neither: empty.

    `index` is that of the stored list, -1 for a new item; `masked` is how the caller saw it.
    """

    index: int
    keep: bool
    value: str
    masked: str
    param: str

    def resolve(self, stored: str | None) -> str:
        """The secret as it will be. `stored` is what there is to keep; None when there is nothing.

        Raises RequestError when nothing is there to keep, Conflict when it is not what the caller saw.
        """
        if self.value or not self.keep:
            return self.value
        if self.masked and stored is not None and self.masked != mask_secret(stored):
            raise outdated()
        if not stored:
            raise bad(self.param, "there is nothing stored to keep; send a value")
        return stored


def bad(param: str, message: str) -> RequestError:
    return RequestError(f"{param}: {message}.", param=param)


def outdated() -> Conflict:
    return Conflict(
        "The configuration was changed in the meantime; load it again and repeat your change.",
        retry_after=1,
    )


def as_object(value: object, param: str, known: Collection[str]) -> Mapping[str, Any]:
    """A JSON object with known fields only."""
    if not isinstance(value, dict):
        raise bad(param, "must be an object")
    for name in value:
        if name not in known:
            where = f"{param}.{name}" if param != "body" else str(name)
            raise bad(where[:100], "is not a known field")
    return value


def as_list(value: object, param: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad(param, "must be a list")
    return value


def as_text(value: object, param: str, check: Callable[[str], object] | None = None) -> str:
    """One line of text, trimmed. `check` raises ValueError for what it refuses; empty passes."""
    if not isinstance(value, str):
        raise bad(param, "must be text")
    text = value.strip()
    if not text.isprintable():
        raise bad(param, "must not contain line breaks or control characters")
    if check is not None and text:
        try:
            check(text)
        except ValueError as error:
            raise bad(param, str(error)) from None
    return text


def as_index(value: object, param: str, count: int) -> int:
    """An index of a stored list of `count` items, or -1."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad(param, "must be a whole number")
    if not -1 <= value < count:
        raise bad(param, "is no item of the stored list; use -1 for a new one")
    return value


def as_wanted(value: object, param: str, *, count: int, strip: Callable[[str], str]) -> Wanted:
    """One secret. `strip` cleans a new value; `count` bounds its index."""
    fields = as_object(value, param, ("index", "set", "masked", "value"))
    keep = fields.get("set", False)
    if not isinstance(keep, bool):
        raise bad(f"{param}.set", "must be true or false")
    text = strip(as_text(fields.get("value", ""), f"{param}.value"))
    if is_masked(text):
        raise bad(f"{param}.value", "is the masked form of a secret, not the secret")
    return Wanted(
        index=as_index(fields.get("index", -1), f"{param}.index", count),
        keep=keep,
        value=text,
        masked=as_text(fields.get("masked", ""), f"{param}.masked"),
        param=param,
    )
