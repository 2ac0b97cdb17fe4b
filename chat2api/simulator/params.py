"""Parameters of a scenario or a fault: `key=value` words or JSON values, read with a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class BadParameter(ValueError):
    """A parameter, scenario or fault that does not exist or cannot be read; the text is for the user."""


class Params:
    """A read-only view that turns what was written into numbers, flags and texts."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def merged(self, other: Mapping[str, Any]) -> Params:
        """The same with `other` on top."""
        return Params({**self._values, **other})

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str, default: str) -> str:
        return str(self._values.get(key, default))

    def number(self, key: str, default: float) -> float:
        value = self._values.get(key, default)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise BadParameter(f"{key}={value!r} is not a number") from None

    def integer(self, key: str, default: int) -> int:
        return int(self.number(key, default))

    def flag(self, key: str, default: bool = False) -> bool:
        value = self._values.get(key, default)
        word = str(value).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise BadParameter(f"{key}={value!r} is neither yes nor no")
