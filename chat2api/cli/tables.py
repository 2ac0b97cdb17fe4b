"""Lists and results as people and as programs read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_NOTHING = "-"


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows under their titles (`columns`: field to title), each column as wide as it needs to be."""
    lines = [list(columns.values()), *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2)


def moment(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC, to the second."""
    return (
        None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
    )


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 account", "2 accounts"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _cell(value: Any) -> str:
    match value:
        case None | "":
            return _NOTHING
        case bool():
            return "yes" if value else "no"
        case _:
            # A label is anybody's text: nothing in it may move the cursor of whoever looks.
            return "".join(char if char.isprintable() else "?" for char in str(value))
