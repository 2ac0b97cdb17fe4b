"""How long the pool lasts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.forecast import HORIZON_SECONDS, Forecast, Return, Standing, forecast

NOW = 1_000_000.0
HOUR = 3600.0


def standing(
    pace: int = 60,
    known: tuple[int, ...] = (),
    unknown: int = 0,
    per_limit: float | None = None,
    returns: tuple[Return, ...] = (),
) -> Standing:
    return Standing(pace, known, unknown, per_limit, returns)


def test_too_few_requests_tell_nothing() -> None:
    assert forecast(standing(pace=29, known=(5,)), NOW) == Forecast("unknown")


def test_what_is_known_is_used_up_at_the_pace() -> None:
    assert forecast(standing(known=(60, 30)), NOW) == Forecast("lasts", 1.5 * HOUR)


def test_half_of_what_accounts_serve_counts_for_those_that_do_not_tell() -> None:
    found = forecast(standing(known=(60,), unknown=2, per_limit=60.0), NOW)
    assert found == Forecast("lasts", 2 * HOUR, estimated=True)


def test_without_a_limit_met_there_is_no_end_in_sight() -> None:
    assert forecast(standing(unknown=1), NOW) == Forecast("plenty", estimated=True)


def test_who_comes_back_in_time_counts_and_who_comes_later_ends_the_drought() -> None:
    early, late = Return(NOW + 0.5 * HOUR, 1), Return(NOW + 10 * HOUR, 3)
    found = forecast(standing(known=(60,), per_limit=60.0, returns=(early, late)), NOW)
    assert found == Forecast("lasts", 2 * HOUR, dry_until=late.at)


def test_beyond_two_days_nobody_plans() -> None:
    assert forecast(standing(known=(60 * 49,)), NOW).kind == "plenty"
    assert forecast(standing(known=(60 * 48,)), NOW).seconds == HORIZON_SECONDS


def test_an_empty_pool_lasts_no_time() -> None:
    assert forecast(standing(), NOW) == Forecast("lasts", 0.0)


@given(
    pace=st.integers(30, 10_000),
    known=st.lists(st.integers(0, 10_000), max_size=5),
    unknown=st.integers(0, 50),
    per_limit=st.none() | st.floats(0, 10_000),
    ends=st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 9)), max_size=5),
)
def test_more_never_lasts_shorter(
    pace: int,
    known: list[int],
    unknown: int,
    per_limit: float | None,
    ends: list[tuple[float, int]],
) -> None:
    returns = tuple(Return(NOW + after, count) for after, count in sorted(ends))
    less = forecast(standing(pace, tuple(known), unknown, per_limit, returns), NOW)
    more = forecast(standing(pace, (*known, 100), unknown, per_limit, returns), NOW)
    assert less.seconds >= 0
    if less.kind == more.kind == "lasts":
        assert more.seconds >= less.seconds or more.seconds == pytest.approx(less.seconds)
