"""How an account stands, from its row: one word for a pill, and until when. Pure.

`store.account_search` says the same in SQL for counts and filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chat2api.errors import ACCOUNT_CLOSED, UpstreamChallenge
from chat2api.pool.values import AccountRow

ENDING_SECONDS = 2 * 86_400.0

Word = Literal[
    "removed",
    "paused",
    "closed",
    "login",
    "challenge",
    "resting",
    "limited",
    "in_use",
    "renewing",
    "ending",
    "unchecked",
    "ready",
]


@dataclass(frozen=True, slots=True)
class Standing:
    """`until` is when the word stops being true, if that is known; `model` the one that is limited first."""

    word: Word
    until: float | None = None
    model: str = ""


def standing(row: AccountRow, now: float) -> Standing:
    """What weighs most against the account, else what it does."""
    if row.removed_at is not None:
        return Standing("removed")
    if row.state == "disabled":
        return Standing("paused")
    if row.state == "needs_login":
        return Standing("closed" if row.reason == ACCOUNT_CLOSED else "login")
    if row.state in ("cooling", "limited"):
        is_challenge = row.reason == UpstreamChallenge.code
        return Standing("challenge" if is_challenge else "resting", row.until)
    limits = {model: until for model, until in row.model_limits.items() if until > now}
    if limits:
        last = max(limits, key=lambda model: (limits[model], model))
        return Standing("limited", limits[last], last)
    if row.running:
        return Standing("in_use")
    if row.renewing:
        return Standing("renewing")
    ends = row.expires_at
    if not row.renewable and ends is not None and ends <= now + ENDING_SECONDS:
        return Standing("ending", ends)
    if row.last_used_at is None and row.checked_at is None and row.refreshed_at is None:
        return Standing("unchecked")
    return Standing("ready")


def state_of(word: Word) -> str:
    """The state of `store.account_search` that a word belongs to."""
    match word:
        case "closed":
            return "login"
        case "challenge":
            return "resting"
        case "renewing" | "ending" | "unchecked":
            return "ready"
        case _:
            return word
