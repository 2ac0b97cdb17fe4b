"""When a token is renewed, and how long to wait after a failure. Pure; all times in seconds.

`jitter` is in 0..1 and comes from the caller.
"""

from __future__ import annotations

DUE_BEFORE_END = 600.0
USABLE_BEFORE_END = 60.0
LONGEST_AGE = 5 * 86_400.0
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 3600.0


def usable_until(expires_at: float | None) -> float | None:
    """Until when an access token is used; None for one that does not tell its end (decision 20)."""
    return None if expires_at is None else expires_at - USABLE_BEFORE_END


def is_usable(expires_at: float | None, now: float) -> bool:
    end = usable_until(expires_at)
    return end is None or now < end


def next_refresh(
    *,
    has_access_token: bool,
    expires_at: float | None,
    refreshed_at: float,
    window: float,
    jitter: float,
) -> float:
    """When to renew: ten minutes before the end, after five days at the latest, at once without a token.

    The moment is moved forward by up to `window`, so that accounts added together are not all renewed
    together; a token of a short life keeps half of it.
    """
    if not has_access_token:
        return refreshed_at
    latest = refreshed_at + LONGEST_AGE
    if expires_at is not None:
        latest = min(latest, expires_at - DUE_BEFORE_END)
    life = max(0.0, latest - refreshed_at)
    return latest - min(window, life / 2) * jitter


def pause_after(failures: int, jitter: float) -> float:
    """30 s after the first failure in a row, doubling to an hour, spread by up to a quarter."""
    pause = min(FIRST_PAUSE * 2.0 ** min(max(failures - 1, 0), 10), LONGEST_PAUSE)
    return pause * (1 + jitter / 4)
