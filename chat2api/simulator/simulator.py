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
from chat2api.simulator.config import Config
from chat2api.simulator.conversations import Conversations
from chat2api.simulator.journal import Journal
from chat2api.simulator.sentinel import Conduits, Sentinel


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

    def configure(self, updates: Mapping[str, Any]) -> Config:
        """Replaces the configuration; raises pydantic.ValidationError and then changes nothing."""
        self.config = self.config.changed(updates)
        return self.config

    def reset(self) -> None:
        """Back to the start; accounts and recordings stay."""
        self.config = self._initial
        self.behaviours.clear()
        self.journal.clear()
        self._forget()

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
