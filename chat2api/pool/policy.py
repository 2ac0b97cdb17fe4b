"""How failures change an account's standing, and which account is next. Pure; times are passed in.

Times are seconds on one monotonic clock of the caller's choosing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from chat2api.errors import Blame
from chat2api.pool.values import AccountState, Outcome

TRANSIENT_REST_SECONDS = 30.0
EGRESS_COOLING_SECONDS = 600.0
FIRST_LIMIT_SECONDS = 30.0
LONGEST_GUESSED_LIMIT_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know against an account.

    `cooling_until` is binding. `resting_until` only makes it a second choice: a single hiccup must not
    take the only account away. `model_limits` holds (model, until) for limits that touch one model.
    `strikes` counts limits in a row without a hint, for the growing guess.
    """

    cooling_until: float = 0.0
    limited: bool = False
    resting_until: float = 0.0
    model_limits: tuple[tuple[str, float], ...] = field(default=())
    strikes: int = 0
    needs_login: bool = False
    reason: str = ""

    def state(self, now: float) -> AccountState:
        if self.needs_login:
            return "needs_login"
        if self.cooling_until > now:
            return "limited" if self.limited else "cooling"
        return "active"

    def usable_from(self, model: str, now: float) -> float | None:
        """When it may serve `model`: `now` or earlier for at once, None for not without a login."""
        if self.needs_login:
            return None
        ends = [until for name, until in self.model_limits if name == model]
        return max([self.cooling_until, *ends]) if ends else self.cooling_until

    def is_resting(self, now: float) -> bool:
        return self.resting_until > now


def after(
    standing: Standing,
    outcome: Outcome,
    now: float,
    *,
    jitter: float,
    enable_limit: bool,
    egress_seconds: float = EGRESS_COOLING_SECONDS,
) -> Standing:
    """The standing after `outcome`. `jitter` in 0..1 spreads guessed waits by up to a quarter."""
    match outcome.blame:
        case None:
            return replace(standing, strikes=0, resting_until=0.0, reason="")
        case Blame.NONE:
            return standing
        case Blame.TRANSIENT:
            return replace(
                standing, resting_until=now + TRANSIENT_REST_SECONDS, reason=outcome.reason
            )
        case Blame.EGRESS:
            return replace(
                standing,
                cooling_until=max(standing.cooling_until, now + egress_seconds),
                limited=False,
                reason=outcome.reason,
            )
        case Blame.NEEDS_LOGIN:
            return replace(standing, needs_login=True, reason=outcome.reason)
        case Blame.LIMITED:
            return _limited(standing, outcome, now, jitter) if enable_limit else standing


def _limited(standing: Standing, outcome: Outcome, now: float, jitter: float) -> Standing:
    if outcome.retry_after is not None:
        wait = outcome.retry_after
        strikes = standing.strikes
    else:
        guess = FIRST_LIMIT_SECONDS * 2.0 ** min(standing.strikes, 10)
        wait = min(guess, LONGEST_GUESSED_LIMIT_SECONDS) * (1 + jitter / 4)
        strikes = standing.strikes + 1
    until = now + wait
    if outcome.per_model:
        current = dict(limit for limit in standing.model_limits if limit[1] > now)
        current[outcome.model] = max(until, current.get(outcome.model, 0.0))
        return replace(
            standing,
            model_limits=tuple(current.items()),
            strikes=strikes,
            reason=outcome.reason,
        )
    return replace(
        standing,
        cooling_until=max(standing.cooling_until, until),
        limited=True,
        strikes=strikes,
        reason=outcome.reason,
    )
