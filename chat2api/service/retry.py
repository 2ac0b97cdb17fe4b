"""Whether a failed attempt is followed by another. Pure; `service.completion` acts on it (decision 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chat2api.errors import (
    Chat2ApiError,
    ConversationNotFound,
    NoAccountAvailable,
    PoolError,
    RequestError,
    UnknownModel,
    UpstreamAuthFailed,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRenewalFailed,
    UpstreamTimeout,
)

Route = Literal["pool", "direct", "anonymous", "entry"]
"""On whose account: one of the pool, the caller's own, nobody's, or that of a configured API."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` counts from 1. `told` says that the caller has seen an event of the answer.

    `unplaced` says that the turn continues a conversation of which we do not know the account.
    """

    number: int
    most: int
    route: Route
    told: bool
    keeps_history: bool
    unplaced: bool = False


def attempts_allowed(route: Route, retry_times: int) -> int:
    """A direct token gets one retry at most; everybody else RETRY_TIMES."""
    return 1 + (min(1, retry_times) if route == "direct" else retry_times)


def goes_on(error: Chat2ApiError, attempt: Attempt) -> bool:
    if attempt.told or attempt.number >= attempt.most:
        return False
    if isinstance(error, ConversationNotFound):
        return attempt.route == "pool" and attempt.unplaced
    if not error.another_account_helps:
        return False
    if not isinstance(error, UpstreamError):
        return False
    if error.after_dispatch and attempt.keeps_history:
        return False  # the upstream may have written the turn already; it must not get it twice
    return attempt.route != "direct" or isinstance(error, UpstreamConnectionError)


def pause_seconds(number: int, jitter: float) -> float:
    """How long to wait before attempt `number` + 1; `jitter` in 0..1."""
    pause = min(_FIRST_PAUSE_SECONDS * 2.0 ** (number - 1), _LONGEST_PAUSE_SECONDS)
    return pause * (0.5 + jitter / 2)


def needs_pause(error: Chat2ApiError) -> bool:
    """A limit or a refused credential says nothing about the next account: go on at once."""
    return not isinstance(
        error,
        UpstreamRateLimited
        | UpstreamAuthFailed
        | UpstreamRenewalFailed
        | UpstreamTimeout
        | ConversationNotFound,
    )


def final_error(last: Chat2ApiError, pool_says: PoolError) -> Chat2ApiError:
    """What the caller is told when the pool has nobody left after `last`.

    Limits on all accounts are the pool's to report (429 with the true wait); refused credentials are
    never the caller's business (503); everything else is best told as it was.
    """
    if isinstance(last, UpstreamRateLimited):
        return pool_says if pool_says.retry_after is not None else last
    if isinstance(last, UpstreamAuthFailed):
        return NoAccountAvailable("No account can be used: their credentials were refused.")
    return last


def falls_through(error: Chat2ApiError, *, told: bool, keeps_history: bool) -> bool:
    """Whether another upstream that has the model may answer instead."""
    if told:
        return False
    if isinstance(error, PoolError | UnknownModel):
        return True
    if not isinstance(error, UpstreamError) or not error.another_account_helps:
        return False
    return not (error.after_dispatch and keeps_history)


def for_the_log(error: Chat2ApiError) -> str:
    """Where the request is at fault its refusal may quote it, and prompts stay out of logs."""
    return str(error.code) if isinstance(error, RequestError) else f"{error.code} ({error.message})"
