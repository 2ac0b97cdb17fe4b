"""Sums by the hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat2api.store import desk_tables
from chat2api.store.opening import Store
from chat2api.store.request_records import RequestRecord, RequestRecords
from chat2api.store.usage_hours import (
    Dimension,
    UsageHour,
    UsageHours,
    UsagePoint,
    UsageSum,
    seconds_of,
    step_of,
)

from .handed import NOW, Clock, rows

HOUR = int(NOW // 3600)
TODAY = int(NOW // 86_400) * 24


@pytest.fixture
def usage(store: Store) -> UsageHours:
    return UsageHours(store, breathe=lambda seconds: None)


def point(hour: int = HOUR, **more: Any) -> UsagePoint:
    plain: dict[str, Any] = {
        "model": "m", "key_id": "k", "account_id": "a", "code": "", "failed": False,
        "prompt_tokens": 1, "completion_tokens": 2, "estimated": False, "first_byte_seconds": None,
    }  # fmt: skip
    return UsagePoint(hour, **plain | more)


_POINTS = st.builds(
    UsagePoint,
    hour=st.integers(TODAY - 60, TODAY + 10),
    model=st.sampled_from(["m1", "m2"]),
    key_id=st.sampled_from(["k1", "k2"]),
    account_id=st.sampled_from(["a1", "a2", "a3", ""]),
    code=st.sampled_from(["", "x"]),
    failed=st.booleans(),
    prompt_tokens=st.integers(0, 10**9),
    completion_tokens=st.integers(0, 10**9),
    estimated=st.booleans(),
    first_byte_seconds=st.none() | st.floats(0, 100),
)
_FIELD: dict[Dimension, str] = {
    "model": "model",
    "key": "key_id",
    "account": "account_id",
    "code": "code",
}


def summed(value: str, points: list[UsagePoint]) -> UsageSum:
    return UsageSum(
        value,
        len(points),
        sum(one.failed for one in points),
        sum(one.prompt_tokens for one in points),
        sum(one.completion_tokens for one in points),
        sum(one.estimated for one in points),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    st.lists(st.lists(_POINTS, max_size=8), max_size=3),
    st.integers(TODAY - 60, TODAY + 10),
    st.integers(0, 70),
)
def test_sums_are_those_of_the_points(
    usage: UsageHours, store: Store, batches: list[list[UsagePoint]], since: int, hours: int
) -> None:
    for table in (desk_tables.usage_hours, desk_tables.latency_hours):
        store.database.write(lambda connection, table=table: connection.execute(table.delete()))  # type: ignore[misc]
    for batch in batches:
        usage.add(batch)
    until = since + hours
    points = [one for batch in batches for one in batch if since <= one.hour < until]
    assert usage.totals(since, until) == summed("", points)
    for dimension, field in _FIELD.items():
        by_value: defaultdict[str, list[UsagePoint]] = defaultdict(list)
        for one in points:
            by_value[getattr(one, field)].append(one)
        if dimension in ("code", "account"):
            by_value.pop("", None)
        expected = [summed(value, ones) for value, ones in by_value.items()]
        expected.sort(key=lambda one: (-one.requests, one.value))
        assert usage.tops(dimension, since, until) == expected
        values = [one.value for one in expected]
        series = usage.series(dimension, since, until, values)
        assert usage.series(dimension, since, until) == series
        assert sum(one.requests for one in series) == sum(one.requests for one in expected)
        assert all(since <= one.hour < until for one in series)


def test_hours_in_order(usage: UsageHours) -> None:
    usage.add([point(HOUR, model="b"), point(HOUR - 1), point(HOUR, model="a", failed=True)])
    assert usage.series("model", HOUR - 5, HOUR + 1) == [
        UsageHour(HOUR - 1, "m", 1, 0, 1, 2, 0),
        UsageHour(HOUR, "a", 1, 1, 1, 2, 0),
        UsageHour(HOUR, "b", 1, 0, 1, 2, 0),
    ]
    assert usage.series("model", HOUR - 5, HOUR + 1, ["b"]) == [UsageHour(HOUR, "b", 1, 0, 1, 2, 0)]
    assert usage.series("model", HOUR - 5, HOUR + 1, []) == []
    assert [one.value for one in usage.tops("model", HOUR, HOUR + 1, most=1)] == ["a"]


def test_an_unknown_dimension_is_a_mistake(usage: UsageHours) -> None:
    dimension: Any = "account_day"
    with pytest.raises(ValueError, match="account_day"):
        usage.tops(dimension, 0, 1)


# --- waits


@given(st.floats(0.011, 4000))
def test_steps_are_true_to_five_percent(seconds: float) -> None:
    assert seconds_of(step_of(seconds)) == pytest.approx(seconds, rel=0.05)


def test_steps_have_ends() -> None:
    assert step_of(0.0) == step_of(0.001) == 0
    assert step_of(1e9) == step_of(1e8)


def test_half_and_most_of_the_waits(usage: UsageHours) -> None:
    waits = [0.5] * 50 + [2.0] * 44 + [30.0] * 6
    usage.add([point(first_byte_seconds=wait) for wait in waits[:60]])
    usage.add([point(first_byte_seconds=wait) for wait in waits[60:]] + [point()])
    latency = usage.latency(HOUR, HOUR + 1)
    assert latency is not None
    assert latency.requests == 100
    assert (latency.p50, latency.p95) == pytest.approx((0.5, 30.0), rel=0.05)
    assert usage.latency(HOUR + 1, HOUR + 2) is None


# --- accounts over long times, and forgetting


def test_accounts_long_ago_count_by_the_day(usage: UsageHours, now: Clock) -> None:
    old = TODAY - 20 * 24
    usage.add([point(old + 3), point(old + 5), point(HOUR, account_id="b")])
    assert usage.prune(400) == 2
    assert usage.tops("account", old, HOUR + 1) == [
        UsageSum("a", 2, 0, 2, 4, 0),
        UsageSum("b", 1, 0, 1, 2, 0),
    ]
    # The day's sum is all that is left: it is taken in as a whole, at the day's beginning.
    assert usage.series("account", old + 4, HOUR, ["a"]) == [UsageHour(old, "a", 2, 0, 2, 4, 0)]


def test_accounts_of_late_have_their_hours(usage: UsageHours) -> None:
    """Days begin at another hour in every time zone, so a chart of a week needs hours."""
    hours = [TODAY - 7 * 24 - 3, TODAY - 5 * 24 + 20, TODAY - 30, TODAY + 1]
    usage.add([point(hour) for hour in hours])
    series = usage.series("account", TODAY - 8 * 24, HOUR + 1, ["a"])
    assert [one.hour for one in series] == hours
    assert usage.tops("account", TODAY - 8 * 24, HOUR + 1) == [UsageSum("a", 4, 0, 4, 8, 0)]
    assert usage.tops("account", hours[0] + 1, hours[2]) == [UsageSum("a", 1, 0, 1, 2, 0)]


def test_what_is_too_old_is_forgotten(usage: UsageHours, store: Store) -> None:
    old = HOUR - 10 * 24
    usage.add([point(old - 1, code="x", first_byte_seconds=1.0), point(old + 48), point(HOUR)])
    usage.prune(10)
    left = {row["hour"] for row in rows(store, desk_tables.usage_hours)}
    assert min(left) >= old // 24 * 24
    assert usage.totals(0, HOUR + 1).requests == 2
    assert rows(store, desk_tables.latency_hours) == []


def test_the_last_hour_is_counted_to_the_second(usage: UsageHours, store: Store) -> None:
    one = RequestRecord("r", NOW - 3599, 1.0, 200, False)
    RequestRecords(store).add([one, replace(one, at=NOW - 3601)])
    assert usage.last_hour() == 1
