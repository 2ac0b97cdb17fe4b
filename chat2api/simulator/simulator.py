"""The simulator's whole state as one object; two of them in one process do not know each other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from chat2api.simulator.accounts import Account, Accounts, demo_accounts
from chat2api.simulator.behaviours import Behaviours
from chat2api.simulator.canned import Bakery
from chat2api.simulator.codex.memory import PromptCache
from chat2api.simulator.config import Config
from chat2api.simulator.conversations import Conversations
from chat2api.simulator.grants import Grants
from chat2api.simulator.journal import Journal
from chat2api.simulator.quotas import Quotas
from chat2api.simulator.sentinel import Conduits, Sentinel
from chat2api.simulator.signing_in import SigningIn
from chat2api.simulator.tokens import Kind


class Simulator:
    """Accounts, ledgers, conversations and records behind the routes."""

    def __init__(
        self,
        config: Config,
        accounts: Iterable[Account] | None = None,
        clock: Callable[[], float] = time.time,
        endpoints: Sequence[str] = (),
    ) -> None:
        self.clock = clock
        self.endpoints = tuple(endpoints)
        self._initial = config
        self.config = config
        self.accounts = Accounts(demo_accounts(clock()) if accounts is None else accounts)
        self.grants = Grants(lambda: self.config, clock)
        self.quotas = Quotas(clock)
        self.behaviours = Behaviours()
        self.journal = Journal(clock)
        self.bakery = Bakery()
        self.recordings: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()  # running turns by owner
        self._stops: dict[tuple[str, str], threading.Event] = {}  # by owner and conversation
        self._forget()

    def _forget(self) -> None:
        self.sentinel = Sentinel(lambda: self.config, self.clock)
        self.conduits = Conduits(self.clock)
        self.conversations = Conversations(self.clock)
        self.signing_in = SigningIn(lambda: self.config, self.clock)
        self.prompt_cache = PromptCache()

    def configure(self, updates: Mapping[str, Any]) -> Config:
        """Replaces the configuration; raises pydantic.ValidationError and then changes nothing."""
        self.config = self.config.changed(updates)
        return self.config

    def reset(self) -> None:
        """Back to the start; accounts, their tokens and recordings stay."""
        self.config = self._initial
        self.behaviours.clear()
        self.journal.clear()
        self.grants.clear()
        self.quotas.clear()
        self._forget()

    def enroll(self, account: Account, refresh: Kind | None) -> None:
        """Adds an account, with a refresh token if it is to have one."""
        self.accounts.add(account)
        self.quotas.forget(account.name)
        if refresh is None:
            self.grants.drop(account.name)
        else:
            self.grants.issue(account.name, refresh, account.client_id)

    def sign_in(self, name: str, client_id: str) -> tuple[Account, str]:
        """A person logs in with a program: a new access token and the first refresh token of its chain."""
        account = self.renew(name, client_id)
        assert account is not None
        return account, self.grants.issue(name, "rt", client_id).newest

    def renew(self, name: str, client_id: str | None = None) -> Account | None:
        """A new access token for an account; None when there is no such account. `client_id` is the
        program that it is for, None: the one before."""
        account = self.accounts.named(name)
        wish = account.lifetime_seconds if account else None
        lifetime = wish or self.config.lifetime_seconds
        ends_older = self.config.refresh_invalidates_access
        return self.accounts.renew(
            name, self.clock(), lifetime, ends_older=ends_older, client_id=client_id
        )

    def enter(self, owner: str) -> bool:
        """Counts a turn in; False when the owner already runs as many as allowed."""
        limit = self.config.max_parallel_turns
        with self._lock:
            if limit and self._busy[owner] >= limit:
                return False
            self._busy[owner] += 1
            return True

    def leave(self, owner: str) -> None:
        with self._lock:
            self._busy[owner] -= 1
            if not self._busy[owner]:
                del self._busy[owner]

    def begin(self, owner: str, conversation_id: str) -> threading.Event:
        """Makes a stream stoppable; the event is set when someone stops it."""
        return self._stops.setdefault((owner, conversation_id), threading.Event())

    def end(self, owner: str, conversation_id: str) -> None:
        self._stops.pop((owner, conversation_id), None)

    def running(self) -> list[tuple[str, str]]:
        """(owner, conversation id) of the streams that run now."""
        return list(self._stops)

    def stop(self, owner: str, conversation_id: str) -> bool:
        """Stops a running stream; False when there is none."""
        event = self._stops.get((owner, conversation_id))
        if event is not None:
            event.set()
        return event is not None
