"""Columns over time: no hour is lost or counted twice, in any zone, on any day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.web.buckets import MOST_DAYS, days, last_days, last_hours

ZONES = ["UTC", "Asia/Shanghai", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"]
NOON = datetime(2026, 11, 28, 12, 30, tzinfo=UTC).timestamp()
moments = st.floats(min_value=1.6e9, max_value=1.9e9)


@given(st.sampled_from(ZONES), moments, st.integers(1, 400))
def test_columns_follow_each_other_and_end_now(name: str, now: float, number: int) -> None:
    zone = ZoneInfo(name)
    span = last_days(number, now, zone)
    for left, right in zip(span.buckets, span.buckets[1:], strict=False):
        assert left.end == right.begin
        assert not left.running
    assert span.buckets[-1].running
    assert span.until == int(now // 3600) + 1
    assert len(span.buckets) == (number if number <= MOST_DAYS else -(-number // 7))
    for index, bucket in enumerate(span.buckets):
        assert bucket.end > bucket.begin
        assert span.index_of(bucket.begin) == span.index_of(bucket.end - 1) == index
    assert span.index_of(span.since - 100) == 0


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("UTC", 0), ("Asia/Shanghai", 16), ("America/New_York", 5), ("Asia/Kolkata", 19)],
)
def test_days_begin_at_midnight_of_the_zone(zone: str, hours: int) -> None:
    span = last_days(2, NOON, ZoneInfo(zone))
    begins = datetime.fromtimestamp(span.buckets[-1].begins_at, UTC)
    assert begins.hour == hours
    local = begins.astimezone(ZoneInfo(zone))
    assert (local.hour, local.date()) == (0, date(2026, 11, 28))


def test_a_day_may_have_23_or_25_hours() -> None:
    zone = ZoneInfo("America/New_York")
    span = days(date(2026, 10, 31), date(2026, 11, 2), NOON, zone)
    assert [bucket.end - bucket.begin for bucket in span.buckets] == [24, 25, 24]
    assert not any(bucket.running for bucket in span.buckets)


def test_hours() -> None:
    span = last_hours(24, NOON)
    assert (span.unit, len(span.buckets)) == ("hour", 24)
    assert span.buckets[-1].begins_at <= NOON < span.buckets[-1].ends_at
    assert [bucket.running for bucket in span.buckets] == [False] * 23 + [True]


def test_nothing_lies_in_the_future() -> None:
    span = days(date(2030, 1, 1), date(2031, 1, 1), NOON, UTC)
    assert len(span.buckets) == 1
    assert span.buckets[0].begins_at == datetime(2026, 11, 28, tzinfo=UTC).timestamp()
