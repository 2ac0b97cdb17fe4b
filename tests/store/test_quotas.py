"""Quotas to text and back, and what is damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import Quota, QuotaWindow
from chat2api.store.quotas import quota_of, quota_text

numbers = st.none() | st.floats(0, 1e12)
windows = st.builds(
    QuotaWindow, st.text(max_size=80), numbers, st.none() | st.integers(0, 10**9), numbers
)
quotas = st.builds(
    Quota,
    st.lists(windows, max_size=4).map(tuple),
    st.lists(st.text(max_size=80), max_size=3).map(tuple),
    numbers,
)


@given(quotas)
def test_there_and_back(quota: Quota) -> None:
    assert quota_of(quota_text(quota)) == quota


def test_a_page_cannot_be_filled_by_an_upstream() -> None:
    vast = Quota(tuple(QuotaWindow("x" * 500) for _ in range(500)), ("w" * 500,) * 500)
    found = quota_of(quota_text(vast))
    assert (len(found.windows), len(found.workspaces)) == (20, 20)
    assert (len(found.windows[0].name), len(found.workspaces[0])) == (80, 80)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"windows": 7, "workspaces": {"a": 1}, "ends_at": "soon"}'],
)
def test_damaged_ones_are_not_known(text: str) -> None:
    assert quota_of(text) == Quota()


def test_what_is_no_number_is_left_out() -> None:
    text = '{"windows": [{"used_percent": "x", "remaining": true, "resets_at": NaN}, 3]}'
    assert quota_of(text) == Quota((QuotaWindow(""),))
