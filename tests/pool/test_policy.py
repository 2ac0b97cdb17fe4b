"""What each outcome does to an account's standing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import Blame
from chat2api.pool.policy import Standing, after
from chat2api.pool.values import AccountState, Outcome

NOW = 1000.0
SOON = Standing(cooling_until=NOW + 5, limited=True, reason="before")


def judged(
    standing: Standing, outcome: Outcome, now: float = NOW, *, jitter: float = 0.0
) -> Standing:
    return after(standing, outcome, now, jitter=jitter, enable_limit=True)


def limited(
    retry_after: float | None = None, *, model: str = "gpt-5", per_model: bool = False
) -> Outcome:
    return Outcome(Blame.LIMITED, model, retry_after, per_model, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("before", "outcome", "standing"),
    [
        (SOON, Outcome(Blame.NONE, "m", reason="upstream_timeout"), SOON),
        (
            Standing(resting_until=NOW + 9, strikes=4, reason="before"),
            Outcome(None, "m"),
            Standing(),
        ),
        (SOON, Outcome(None, "m"), replace(SOON, reason="")),
        (
            Standing(),
            Outcome(Blame.TRANSIENT, "m", reason="upstream_bad_response"),
            Standing(resting_until=NOW + 30, reason="upstream_bad_response"),
        ),
        (
            SOON,
            Outcome(Blame.EGRESS, "m", reason="upstream_access_denied"),
            Standing(cooling_until=NOW + 600, reason="upstream_access_denied"),
        ),
        (
            SOON,
            Outcome(Blame.NEEDS_LOGIN, "m", reason="upstream_account_auth_failed"),
            replace(SOON, needs_login=True, reason="upstream_account_auth_failed"),
        ),
        (
            Standing(strikes=2),
            limited(120.0),
            Standing(
                cooling_until=NOW + 120, limited=True, strikes=2, reason="rate_limit_exceeded"
            ),
        ),
        (
            Standing(),
            limited(120.0, per_model=True),
            Standing(model_limits=(("gpt-5", NOW + 120),), reason="rate_limit_exceeded"),
        ),
    ],
)
def test_outcomes(before: Standing, outcome: Outcome, standing: Standing) -> None:
    assert judged(before, outcome) == standing


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing(), "active"),
        (Standing(resting_until=NOW + 1), "active"),
        (Standing(model_limits=(("m", NOW + 1),)), "active"),
        (Standing(cooling_until=NOW), "active"),
        (Standing(cooling_until=NOW + 1), "cooling"),
        (Standing(cooling_until=NOW + 1, limited=True), "limited"),
        (Standing(cooling_until=NOW, limited=True), "active"),
        (Standing(cooling_until=NOW + 1, limited=True, needs_login=True), "needs_login"),
    ],
)
def test_states(standing: Standing, state: AccountState) -> None:
    assert standing.state(NOW) == state


def test_a_model_limit_touches_that_model_only() -> None:
    standing = judged(Standing(cooling_until=NOW - 1), limited(60, per_model=True))
    assert standing.usable_from("gpt-5", NOW) == NOW + 60
    assert standing.usable_from("gpt-4o", NOW) == NOW - 1


@pytest.mark.parametrize("per_model", [False, True])
def test_a_shorter_wait_does_not_shorten_a_longer_one(per_model: bool) -> None:
    standing = judged(Standing(), limited(3600, per_model=per_model))
    standing = judged(standing, limited(10, per_model=per_model))
    assert standing.usable_from("gpt-5", NOW) == NOW + 3600


def test_cooling_and_a_model_limit_add_up_to_the_later_one() -> None:
    standing = judged(judged(Standing(), limited(60, per_model=True)), limited(90))
    assert (standing.usable_from("gpt-5", NOW), standing.usable_from("x", NOW)) == (
        NOW + 90,
        NOW + 90,
    )


def test_model_limits_that_are_over_are_forgotten() -> None:
    standing = judged(Standing(), limited(10, model="a", per_model=True))
    standing = judged(standing, limited(99, model="b", per_model=True))
    standing = judged(standing, limited(10, model="c", per_model=True), NOW + 50)
    assert standing.model_limits == (("b", NOW + 99), ("c", NOW + 60))


@pytest.mark.parametrize("per_model", [False, True])
def test_guessed_waits_grow_to_an_hour_and_start_over_after_a_success(per_model: bool) -> None:
    standing, now, waits = Standing(), NOW, []
    for _ in range(9):
        standing = judged(standing, limited(per_model=per_model), now)
        until = standing.usable_from("gpt-5", now)
        assert until is not None
        waits.append(until - now)
        now = until
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    standing = judged(standing, Outcome(None, "gpt-5"), now)
    standing = judged(standing, limited(per_model=per_model), now)
    assert standing.usable_from("gpt-5", now) == now + 30


def test_a_wait_the_upstream_named_is_no_strike() -> None:
    assert judged(Standing(strikes=3), limited(10)).strikes == 3
    assert judged(Standing(strikes=3), limited()).strikes == 4


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 30.0), (0.5, 33.75), (1.0, 37.5)])
def test_jitter_spreads_guesses_and_nothing_else(jitter: float, wait: float) -> None:
    assert judged(Standing(), limited(), jitter=jitter).cooling_until == NOW + wait
    assert judged(Standing(), limited(60), jitter=jitter).cooling_until == NOW + 60


def test_limits_are_not_remembered_when_switched_off() -> None:
    for outcome in (limited(60), limited(), limited(60, per_model=True)):
        assert after(SOON, outcome, NOW, jitter=0.5, enable_limit=False) == SOON
    for blame in (Blame.EGRESS, Blame.NEEDS_LOGIN):
        outcome = Outcome(blame, "m")
        told = after(Standing(), outcome, NOW, jitter=0.5, enable_limit=False)
        assert told == judged(Standing(), outcome)


# --- for any history

seconds = st.floats(0.0, 1e6)
models = st.sampled_from(["gpt-5", "gpt-4o"])
outcomes = st.builds(
    Outcome,
    st.sampled_from([None, *Blame]),
    models,
    st.none() | seconds,
    st.booleans(),
)
standings = st.builds(
    Standing,
    cooling_until=seconds,
    limited=st.booleans(),
    resting_until=seconds,
    model_limits=st.dictionaries(models, seconds).map(lambda held: tuple(held.items())),
    strikes=st.integers(0, 5000),
    needs_login=st.booleans(),
)


@given(standings, outcomes, seconds, st.floats(0, 1), st.booleans(), models)
def test_no_outcome_makes_an_account_usable_earlier(
    before: Standing, outcome: Outcome, now: float, jitter: float, enable: bool, model: str
) -> None:
    then = after(before, outcome, now, jitter=jitter, enable_limit=enable)
    was, is_ = before.usable_from(model, now), then.usable_from(model, now)
    if was is None:
        assert is_ is None
    else:
        assert is_ is None or is_ >= was or is_ <= now
    if outcome.blame in (None, Blame.NONE, Blame.TRANSIENT):
        assert is_ == was  # a hiccup takes nobody out of service


@given(standings, seconds, st.floats(0, 1), st.booleans())
def test_a_guess_is_between_half_a_minute_and_an_hour_and_a_quarter(
    before: Standing, now: float, jitter: float, per_model: bool
) -> None:
    fresh = replace(before, cooling_until=0.0, model_limits=(), needs_login=False)
    until = judged(fresh, limited(per_model=per_model), now, jitter=jitter).usable_from(
        "gpt-5", now
    )
    assert until is not None
    assert 29.9 <= until - now <= 4500.1


@given(st.lists(st.tuples(outcomes, seconds), max_size=50))
def test_standing_stays_small(history: list[tuple[Outcome, float]]) -> None:
    standing = Standing()
    for outcome, now in history:
        standing = judged(standing, outcome, now)
    assert len(standing.model_limits) <= 2
