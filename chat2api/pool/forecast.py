"""How long the pool lasts at the present pace. Pure; times are epoch seconds.

What an account has left is known where the upstream said it. Of the others we know how many requests one
served before it met a limit, on average over the last day; half of that counts as left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LEAST_REQUESTS = 30
"""In an hour; with fewer there is no pace to speak of."""

HORIZON_SECONDS = 48 * 3600.0


@dataclass(frozen=True, slots=True)
class Return:
    """`count` accounts are free of their limit at `at`."""

    at: float
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the pool now.

    `pace` in requests an hour. `known_left` are requests left of usable accounts whose upstream told;
    `unknown` counts the usable ones whose did not. `per_limit` is how many requests an account serves
    before it meets a limit, None when nobody met one. `returns` in order of time.
    """

    pace: int
    known_left: Sequence[int]
    unknown: int
    per_limit: float | None
    returns: Sequence[Return]


@dataclass(frozen=True, slots=True)
class Forecast:
    """`unknown`: too few requests to tell. `plenty`: no end in sight. `lasts`: for `seconds` from now.

    `estimated`: part of it is guessed from what accounts did before. `dry_until`: when, after that, the
    first account is back; None when nobody is known to come back.
    """

    kind: Literal["unknown", "plenty", "lasts"]
    seconds: float = 0.0
    estimated: bool = False
    dry_until: float | None = None


def forecast(standing: Standing, now: float) -> Forecast:
    if standing.pace < LEAST_REQUESTS:
        return Forecast("unknown")
    estimated = standing.unknown > 0 and standing.per_limit is not None
    if standing.unknown and standing.per_limit is None:
        return Forecast("plenty", estimated=True)  # nobody met a limit in a day
    each = standing.per_limit or 0.0
    stock = sum(standing.known_left) + standing.unknown * each / 2
    per_second = standing.pace / 3600.0
    at = now
    for back in standing.returns:
        empty_at = at + stock / per_second
        if empty_at < back.at:
            return Forecast("lasts", empty_at - now, estimated, back.at)
        stock -= max(0.0, back.at - at) * per_second
        stock += back.count * each
        at = max(at, back.at)
    seconds = at + stock / per_second - now
    if seconds > HORIZON_SECONDS:
        return Forecast("plenty", estimated=estimated)
    return Forecast("lasts", seconds, estimated)
