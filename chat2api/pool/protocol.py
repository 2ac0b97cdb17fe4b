"""The account pool as the service sees it. `store` implements it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from chat2api.lifetime.call import Call
from chat2api.pool.values import Lease, Need, Outcome


class AccountPool(Protocol):
    def lease(self, need: Need, call: Call) -> AbstractContextManager[Lease]:
        """Wait for a free account, first come first served, and hold one of its slots.

        Raises PoolExhausted (all cooling; with the true wait), NoAccountAvailable (none usable),
        Overloaded (queue full, or waited too long), or what the call was cancelled with.
        """

    def report(self, lease: Lease, outcome: Outcome) -> None:
        """Say how the turn went; sets cooldowns and states."""

    def is_empty(self) -> bool:
        """Whether there is no account at all."""
