"""CSV: no cell is a formula, whatever people called their accounts."""

from __future__ import annotations

import csv
import io

import pytest
from flask import Flask

from chat2api.web.csv import cell, csv_response


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =cmd", "'  =cmd"),
        ("\t=cmd", "'\t=cmd"),
        ("＝1", "'＝1"),
        ("plain = text", "plain = text"),
        ("a\0b", "ab"),
        ("", ""),
        (None, ""),
        (-3, "-3"),
        (0.25, "0.25"),
        (1_764_000_000.5, "1764000000.500"),
        (True, "yes"),
    ],
)
def test_cells(value: object, expected: str) -> None:
    assert cell(value) == expected


def test_a_download() -> None:
    rows = [[f"line {number}", 'quote " and, comma\nbreak', number] for number in range(450)]
    pauses: list[float] = []
    with Flask("csv").test_request_context("/"):
        response = csv_response("requests", ["name", "text", "=number"], rows, pauses.append)
        text = response.get_data().decode("utf-8-sig")
    assert len(pauses) == 2  # in which other requests go on
    assert response.headers["Content-Disposition"] == 'attachment; filename="requests.csv"'
    assert response.mimetype == "text/csv"
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found[0] == ["name", "text", "'=number"]
    assert found[1:] == [[one, two, str(three)] for one, two, three in rows]
