"""When a token is renewed: before it ends, not all together, and not in a hurry after failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.refreshing import is_usable, next_refresh, pause_after, usable_until

NOW = 1_750_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("expires_at", "until"), [(None, None), (NOW + 100, NOW + 40), (NOW, NOW - 60)]
)
def test_a_token_is_used_until_a_minute_before_its_end(
    expires_at: float | None, until: float | None
) -> None:
    assert usable_until(expires_at) == until
    assert is_usable(expires_at, NOW) is (until is None or until > NOW)


@pytest.mark.parametrize(
    ("expires_at", "window", "jitter", "due"),
    [
        (NOW + 10 * DAY, 600.0, 0.0, NOW + 5 * DAY),  # five days at the latest
        (None, 600.0, 0.0, NOW + 5 * DAY),
        (NOW + 2 * DAY, 0.0, 1.0, NOW + 2 * DAY - 600),
        (NOW + 2 * DAY, 3600.0, 0.5, NOW + 2 * DAY - 600 - 1800),
        (NOW + 3600, 7200.0, 1.0, NOW + 1500),  # a short life keeps half of it
        (NOW + 60, 600.0, 1.0, NOW - 540),  # ends within ten minutes: due already
    ],
)
def test_the_moment(expires_at: float | None, window: float, jitter: float, due: float) -> None:
    assert (
        next_refresh(
            has_access_token=True,
            expires_at=expires_at,
            refreshed_at=NOW,
            window=window,
            jitter=jitter,
        )
        == due
    )


def test_without_a_token_at_once() -> None:
    assert (
        next_refresh(
            has_access_token=False, expires_at=None, refreshed_at=NOW, window=600, jitter=1
        )
        == NOW
    )


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(0, 30), (1, 30), (2, 60), (3, 120), (7, 1920), (8, 3600), (10_000, 3600)],
)
def test_pauses_double_up_to_an_hour(failures: int, pause: float) -> None:
    assert pause_after(failures, 0.0) == pause
    assert pause_after(failures, 1.0) == pause * 1.25


@given(
    st.none() | st.floats(NOW - DAY, NOW + 4000 * DAY),
    st.floats(0, 10 * DAY),
    st.floats(0, 1),
)
def test_never_later_than_it_must_nor_before_half_of_its_life(
    expires_at: float | None, window: float, jitter: float
) -> None:
    due = next_refresh(
        has_access_token=True,
        expires_at=expires_at,
        refreshed_at=NOW,
        window=window,
        jitter=jitter,
    )
    latest = min(NOW + 5 * DAY, NOW + 5 * DAY if expires_at is None else expires_at - 600)
    assert due <= latest
    assert due >= latest - window
    assert due >= min(latest, NOW + (latest - NOW) / 2) - 1e-3


@given(st.integers(-5, 2000), st.floats(0, 1))
def test_pauses_stay_within_bounds(failures: int, jitter: float) -> None:
    assert 30 <= pause_after(failures, jitter) <= 4500
    assert pause_after(failures, jitter) <= pause_after(failures + 1, jitter)
