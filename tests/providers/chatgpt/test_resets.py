"""providers.chatgpt.resets: reset times in every spelling, never an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.providers.chatgpt.resets import (
    LONGEST_BY_BODY,
    LONGEST_BY_HEADER,
    seconds_in_body,
    seconds_in_header,
    seconds_in_text,
)

NOW = 1_780_000_000.0  # 2026-05-28T20:26:40Z
EIGHT_DAYS = 691_200.0


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"clears_in": 252}, 252),
        ({"clears_in": "30"}, 30),
        ({"clears_in": 1.5}, 1.5),
        ({"clears_in": 0}, 1),
        ({"clears_in": -5}, 1),
        ({"clears_in": 315_360_000}, EIGHT_DAYS),
        ({"clears_in": "inf"}, EIGHT_DAYS),
        ({"clears_in": "9" * 5000}, EIGHT_DAYS),
        ({"clears_in": 1_780_000_060}, 60),
        ({"clears_in": "nan"}, None),
        ({"clears_in": True}, None),
        ({"clears_in": [5]}, None),
        ({"clears_in": None, "resets_in_seconds": 7}, 7),
        ({"retry_after": "1h2m"}, 3720),
        ({"reset_after": "6m0s"}, 360),
        ({"reset_after": "2026-05-28T20:27:40+00:00"}, 60),
        ({"reset_after": "2026-05-28T20:27:40"}, 60),
        ({"reset_after": "2026-05-28T22:27:40+02:00"}, 60),
        ({"resets_after": "2026-05-28T20:27:40Z"}, 60),
        ({"resets_at": 1_780_003_600}, 3600),
        ({"resets_at": "1780003600"}, 3600),
        ({"resets_at": 1_780_003_600_000}, 3600),
        ({"resets_at": 120}, 120),
        ({"resets_at": 1_700_000_000}, 1),
        ({"resets_at": 1_780_604_800}, 604_800),
        ({"reset_at": "0001-01-01T00:00:00"}, 1),
        ({"reset_at": "9999-12-31T23:59:59Z"}, EIGHT_DAYS),
        ({"restore_at": "not a date"}, None),
        ({"restore_at": ""}, None),
        ({}, None),
    ],
)
def test_bodies(fields: dict[str, Any], seconds: float | None) -> None:
    assert seconds_in_body([{}, fields], NOW) == seconds


def test_the_innermost_statement_counts() -> None:
    assert seconds_in_body([{"clears_in": 5}, {"clears_in": 9}], NOW) == 5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("-5", 1),
        ("315360000", 86_400),
        ("Thu, 28 May 2026 20:27:40 GMT", 60),
        ("Thu, 28 May 2026 20:25:40 GMT", 1),
        ("Mon, 28 May 2036 20:27:40 GMT", 86_400),
        ("Thu, 99 May 2026 20:27:40 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_headers(value: str | None, seconds: float | None) -> None:
    assert seconds_in_header(value, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Try again in 20 minutes.", 1200),
        ("Please wait for 1 hour and 5 minutes before the next.", 3900),
        ("It resets in 5 hours, 3 minutes and 2 seconds.", 18_182),
        ("or wait one minute.", 60),
        ("after 2 days", 172_800),
        ("in about an hour", 3600),
        ("in 30s", 30),
        ("in 99999 days", EIGHT_DAYS),
        ("in 3 models", None),
        ("in a moment", None),
        ("GPT-5 in 2026", None),
        ("", None),
    ],
)
def test_sentences(text: str, seconds: float | None) -> None:
    assert seconds_in_text(text) == seconds


values = st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.none(), st.booleans())


@given(st.dictionaries(st.sampled_from(["clears_in", "reset_after", "resets_at"]), values), values)
def test_anything_is_survived_and_clamped(fields: dict[str, Any], header: Any) -> None:
    by_body, by_header = seconds_in_body([fields], NOW), seconds_in_header(str(header), NOW)

    assert by_body is None or 1 <= by_body <= LONGEST_BY_BODY
    assert by_header is None or 1 <= by_header <= LONGEST_BY_HEADER
