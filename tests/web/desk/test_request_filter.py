"""Filters in addresses: what goes out comes back, and nonsense does not count."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.web.desk.request_filter import Asked, asked_in, local_text

ZONE = ZoneInfo("Asia/Shanghai")
names = st.text(st.characters(exclude_categories=["Cs", "Z", "C"]), max_size=40)


@given(st.builds(Asked, st.sampled_from(["", "failed"]), *[names] * 4, st.sampled_from(["", "24h"]), st.integers(0, 10**9), st.none(), names))  # fmt: skip
def test_what_goes_out_comes_back(asked: Asked) -> None:
    assert asked_in(asked.values(), ZONE) == asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1764000000", 1_764_000_000.0),
        ("2026-11-28T08:00", 1_795_824_000.0),
        ("2026-11-28T08:00+00:00", 1_795_852_800.0),
        ("2026-11-28", 1_795_795_200.0),
        ("", None),
        ("yesterday", None),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("9" * 30, None),
        ("0001-01-01T00:00", None),
    ],
)
def test_times(text: str, expected: float | None) -> None:
    assert asked_in({"since": text}, ZONE).since == expected


def test_times_as_a_field_takes_them() -> None:
    assert local_text(1_795_824_000.0, ZONE) == "2026-11-28T08:00"
    assert local_text(None, ZONE) == ""


def test_what_is_asked_of_the_records() -> None:
    asked = asked_in({"state": "failed", "range": "1h", "key": "key_1", "q": " req_1 "}, ZONE)
    found = asked.as_filter(10_000.0)
    assert (found.failed, found.since, found.until) == (True, 6400.0, None)
    assert (found.key_id, found.request_id) == ("key_1", "req_1")
    assert Asked().is_plain
    assert Asked().as_filter(0).failed is None
    assert not asked.is_plain
    assert asked.without("state", "range", "key", "q").is_plain


def test_nonsense_does_not_count() -> None:
    asked = asked_in({"state": "x", "range": "9y", "model": "m" * 5000}, ZONE)
    assert (asked.state, asked.range, len(asked.model)) == ("", "", 200)


def test_addresses(site: Any) -> None:
    with site.app.test_request_context("/"):
        address = Asked(code="a b", model="<gpt>").address(before=7)
        assert address == "/admin/requests?code=a+b&model=%3Cgpt%3E&before=7"
