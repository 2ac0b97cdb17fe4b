"""Bytes to text and JSON: whole or not at all, within limits."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.service.importing import content
from chat2api.service.importing.content import (
    Unreadable,
    json_documents,
    json_list,
    json_object,
    json_of,
    lines_of,
    text_of,
    whole_or_nothing,
)
from chat2api.service.importing.found import Found, Skipped

from .samples import access


def reason(call: Any, *arguments: Any) -> str:
    with pytest.raises(Unreadable) as caught:
        call(*arguments)
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


def test_text_is_utf8_with_or_without_a_mark() -> None:
    assert text_of("\ufeffgrün".encode()) == "grün"
    assert text_of(b"gr\xfcn") == "gr\ufffdn"


def test_a_file_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST_BYTES", 4)
    assert text_of(b"1234") == "1234"
    assert reason(text_of, b"12345") == "is larger than 64 MB"


def test_lines_end_as_editors_end_them() -> None:
    assert lines_of("a\r\nb\rc\n\nd\u2028e\x0cf") == ["a", "b", "c", "", "d\u2028e\x0cf"]


def test_more_entries_than_anybody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_ENTRIES", 2)
    assert json_list("[1, 2]") == [1, 2]
    assert reason(json_list, "[1, 2, 3]") == "has more than 200,000 entries"
    assert reason(json_object, '{"a": 1, "b": 2, "c": 3}') == "has more than 200,000 entries"
    assert reason(lines_of, "\n\n") == "has more than 200,000 entries"


def test_documents_one_behind_the_other() -> None:
    assert list(json_documents(' {"a": 1}{"b": 2}\n\n[3] ')) == [{"a": 1}, {"b": 2}, [3]]
    assert json_of(" [1]\n ") == [1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("{", "is damaged (line 1)"),
        ('{\n"a": 1,\n"b"', "is damaged (line 3)"),
        ("\0\0\0", "is damaged (line 1)"),
        ("[1]\n[2]\n", "is damaged (line 2)"),
        ("[1]\n]", "is damaged (line 2)"),
        ("[" * 100_000, "is nested too deeply"),
        ("\n[1" + "0" * 5_000 + "]", "is damaged (line 2)"),
        ("[1] [1" + "0" * 5_000 + "]", "is damaged (line 1)"),
    ],
    ids=range(10),
)
def test_damage(text: str, why: str) -> None:
    assert reason(json_of, text) == why


def test_other_documents_than_wanted() -> None:
    assert reason(json_list, "{}") == "is not a JSON list"
    assert reason(json_object, "[]") == "is not a JSON object"


def test_an_unreadable_file_is_skipped_whole() -> None:
    @whole_or_nothing
    def read(content: bytes, where: str) -> Found:
        raise Unreadable("is damaged (line 7)")

    assert read(b"", "a file") == Found(skipped=(Skipped("a file", "is damaged (line 7)"),))


@given(st.text(alphabet='{}[]":,\n x1', max_size=30))
def test_a_failure_tells_nothing_of_the_file(text: str) -> None:
    token = access("secret")
    with pytest.raises(Unreadable) as caught:
        json_of(f'["{token}", {text} [')
    assert token not in "".join(traceback.format_exception(caught.value))
