"""The word `Bearer`, which people copy along with a key."""

from __future__ import annotations

import re

_BEARER = re.compile(r"^\s*bearer\s+", re.IGNORECASE)


def strip_bearer(text: str) -> str:
    """The key without blanks around it and without a leading `Bearer `."""
    return _BEARER.sub("", text, count=1).strip()


def without_bearer(value: object) -> object:
    """The same for a text, or for each text of a list; other values as they are."""
    match value:
        case str():
            return strip_bearer(value)
        case list():
            return [strip_bearer(item) if isinstance(item, str) else item for item in value]
        case _:
            return value
