"""Whether a failed attempt is followed by another (decision 17)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api import errors
from chat2api.errors import (
    Chat2ApiError,
    ConversationNotFound,
    NoAccountAvailable,
    Overloaded,
    PoolExhausted,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamTruncated,
)
from chat2api.service.retry import (
    Attempt,
    Route,
    attempts_allowed,
    falls_through,
    final_error,
    for_the_log,
    goes_on,
    needs_pause,
    pause_seconds,
)

FIRST = Attempt(1, 4, "pool", told=False, keeps_history=False)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Chat2ApiError)
]
WORTH_ANOTHER = {
    "UpstreamError",
    "UpstreamBadResponse",
    "UpstreamConnectionError",
    "UpstreamTruncated",
    "UpstreamTimeout",
    "UpstreamAccessDenied",
    "UpstreamChallenge",
    "ProofTooHard",
    "UpstreamLoginRequired",
    "UpstreamAuthFailed",
    "UpstreamAuthUnclear",
    "UpstreamRenewalFailed",
    "UpstreamRateLimited",
}
NETWORK = {"UpstreamConnectionError"}


def dispatched(error: UpstreamError) -> UpstreamError:
    error.after_dispatch = True
    return error


@pytest.mark.parametrize(
    ("route", "retry_times", "attempts"),
    [("pool", 3, 4), ("pool", 0, 1), ("anonymous", 3, 4), ("direct", 3, 2), ("direct", 0, 1)],
)
def test_attempts(route: Route, retry_times: int, attempts: int) -> None:
    assert attempts_allowed(route, retry_times) == attempts


@pytest.mark.parametrize("kind", KINDS)
def test_which_failures_another_account_may_mend(kind: type[Chat2ApiError]) -> None:
    error = kind("It failed.")
    assert goes_on(error, FIRST) is (kind.__name__ in WORTH_ANOTHER)
    assert goes_on(error, replace(FIRST, route="anonymous")) is (kind.__name__ in WORTH_ANOTHER)
    assert goes_on(error, replace(FIRST, route="direct")) is (kind.__name__ in NETWORK)


@pytest.mark.parametrize("kind", KINDS)
def test_never_after_the_first_event_nor_beyond_the_last_attempt(
    kind: type[Chat2ApiError],
) -> None:
    error = kind("It failed.")
    for attempt in (FIRST, replace(FIRST, unplaced=True)):
        assert not goes_on(error, replace(attempt, told=True))
        assert not goes_on(error, replace(attempt, number=4))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (dispatched(UpstreamBadResponse("500")), False),
        (dispatched(UpstreamTimeout("silent")), False),
        (dispatched(UpstreamTruncated("cut")), False),
        (dispatched(UpstreamConnectionError("reset")), False),
        (UpstreamRateLimited("limit"), True),
        (UpstreamAuthFailed("expired"), True),
        (UpstreamAccessDenied("unusual"), True),
        (UpstreamConnectionError("refused"), True),
    ],
)
@pytest.mark.parametrize("route", ["pool", "anonymous", "direct"])
def test_a_kept_turn_is_sent_again_after_a_definite_refusal_only(
    error: UpstreamError, again: bool, route: Route
) -> None:
    temporary, kept = replace(FIRST, route=route), replace(FIRST, route=route, keeps_history=True)
    on_network = isinstance(error, UpstreamConnectionError)
    assert goes_on(error, temporary) is (route != "direct" or on_network)
    assert goes_on(error, kept) is (again and (route != "direct" or on_network))


def test_a_conversation_is_looked_for_only_where_we_do_not_know_its_account() -> None:
    error = ConversationNotFound("No such conversation.")
    kept = replace(FIRST, keeps_history=True)
    assert goes_on(error, replace(kept, unplaced=True))
    assert not goes_on(error, kept)
    for route in ("direct", "anonymous"):
        assert not goes_on(error, replace(kept, unplaced=True, route=route))


def test_pauses_grow_to_two_seconds() -> None:
    assert [pause_seconds(number, 1.0) for number in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert [pause_seconds(number, 0.0) for number in (1, 9)] == [0.1, 1.0]


@given(st.integers(1, 1000), st.floats(0, 1))
def test_no_pause_is_out_of_bounds(number: int, jitter: float) -> None:
    assert 0.1 <= pause_seconds(number, jitter) <= 2.0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, UpstreamError)])
def test_who_is_paused_for(kind: type[UpstreamError]) -> None:
    at_once = (
        UpstreamRateLimited,
        UpstreamAuthFailed,
        errors.UpstreamRenewalFailed,
        errors.UpstreamTimeout,
    )
    assert needs_pause(kind("It failed.")) is not issubclass(kind, at_once)
    assert not needs_pause(ConversationNotFound("No such conversation."))


LIMITED = UpstreamRateLimited("limit", retry_after=7)
DENIED = UpstreamAccessDenied("unusual")
EXHAUSTED = PoolExhausted("all cooling", retry_after=30)
NOBODY = NoAccountAvailable("nobody")
BUSY = Overloaded("busy", retry_after=5)


@pytest.mark.parametrize(
    ("last", "pool_says", "told"),
    [
        (LIMITED, EXHAUSTED, EXHAUSTED),
        (LIMITED, BUSY, BUSY),
        (LIMITED, NOBODY, LIMITED),
        (DENIED, EXHAUSTED, DENIED),
        (DENIED, NOBODY, DENIED),
    ],
)
def test_what_is_told_when_the_pool_has_nobody_left(
    last: Chat2ApiError, pool_says: errors.PoolError, told: Chat2ApiError
) -> None:
    assert final_error(last, pool_says) is told


@pytest.mark.parametrize("pool_says", [EXHAUSTED, NOBODY, BUSY])
def test_refused_credentials_are_no_business_of_the_callers(pool_says: errors.PoolError) -> None:
    told = final_error(UpstreamAuthFailed("expired"), pool_says).info
    assert (told.status, told.code) == (503, "no_account_available")


# --- another upstream


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_which_failures_another_upstream_may_mend(kind: type[Chat2ApiError]) -> None:
    error = kind("It broke.")
    mends = issubclass(kind, errors.PoolError | errors.UnknownModel)
    mends = mends or kind.__name__ in WORTH_ANOTHER
    assert falls_through(error, told=False, keeps_history=False) is mends
    assert not falls_through(error, told=True, keeps_history=False)


def test_a_kept_turn_that_was_sent_goes_to_no_other_upstream() -> None:
    error = UpstreamTruncated("It broke off.")
    error.after_dispatch = True
    assert falls_through(error, told=False, keeps_history=False)
    assert not falls_through(error, told=False, keeps_history=True)


def test_what_the_log_says_of_a_failure() -> None:
    assert for_the_log(UpstreamTimeout("Too slow.")) == "upstream_timeout (Too slow.)"
    assert for_the_log(errors.RequestError("Bad: my secret prompt")) == "invalid_value"
