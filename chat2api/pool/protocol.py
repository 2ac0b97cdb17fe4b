"""The account pool as the service sees it. `store` implements it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from chat2api.errors import PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Lease, Need, Outcome


class AccountPool(Protocol):
    def lease(self, need: Need, call: Call) -> AbstractContextManager[Lease]:
        """Wait for a free account, first come first served, and hold one of its slots.

        Raises PoolExhausted (all cooling; with the true wait), NoAccountAvailable (none usable),
        Overloaded (queue full, or waited too long), or what the call was cancelled with.
        """

    def report(self, lease: Lease, outcome: Outcome) -> None:
        """Say how the turn went; sets cooldowns and states."""

    def glance(self, need: Need) -> Account | None:
        """An account for a side question: it takes no slot and waits for nobody."""

    def refusal(self, need: Need) -> PoolError | None:
        """What `lease` would refuse this need with now; None when an account is free or only busy."""

    def is_empty(self) -> bool:
        """Whether there is no account at all."""
