"""Columns, times and numbers in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.cli.tables import as_json, counted, listed, moment, table


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    rows = [{"a": "x", "b": None, "c": True}, {"a": "longer", "b": 5, "c": False}]
    assert table({"a": "A", "b": "BIG", "c": "C"}, rows).splitlines() == [
        "A       BIG  C",
        "x       -    yes",
        "longer  5    no",
    ]


@given(st.text())
def test_a_cell_is_one_line_and_moves_nothing(text: str) -> None:
    shown = table({"a": "A"}, [{"a": text}])
    head, _, line = shown.partition("\n")
    assert head == "A"
    assert line.isprintable()


def test_times_are_utc() -> None:
    assert moment(0.9) == "1970-01-01T00:00:00+00:00"
    assert moment(None) is None


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("account",), "0 accounts"),
        (1, ("account",), "1 account"),
        (2, ("account",), "2 accounts"),
        (2, ("entry", "entries"), "2 entries"),
    ],
)
def test_numbers_in_words(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text


def test_small_things() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert as_json({"a": None}) == '{\n  "a": null\n}'
