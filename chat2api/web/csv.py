"""Tables as CSV that a spreadsheet opens as text, never as formulas."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from flask import Response, stream_with_context

from chat2api.lifetime.breath import BREATH_SECONDS

# What makes a spreadsheet compute. Also behind blanks, which some of them cut.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROWS_AT_ONCE = 200


def csv_response(
    name: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    breathe: Callable[[float], None] = time.sleep,
) -> Response:
    """A download named `name`.csv; rows are written as they come, within the request, with pauses in which
    the worker's other requests go on.

    It begins with a byte order mark: without it spreadsheets take Chinese for something else.
    """
    lines = stream_with_context(_lines(header, rows, breathe))
    response = Response(lines, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def cell(value: object) -> str:
    """Numbers and times of ours stay as they are; a text that would be a formula gets an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}" if abs(value) < 1e5 else f"{value:.3f}"
    text = str(value).replace("\0", "")
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _lines(
    header: Sequence[str], rows: Iterable[Sequence[object]], breathe: Callable[[float], None]
) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow([cell(name) for name in header])
    for index, row in enumerate(rows, 1):
        writer.writerow([cell(value) for value in row])
        if index % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue()
            breathe(BREATH_SECONDS)
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()
