"""The account pool in the memory of one process: what `sql_pool` falls back on, and what tests use."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from chat2api.errors import NoAccountAvailable, Overloaded, PoolError, PoolExhausted
from chat2api.lifetime.call import Call
from chat2api.pool.policy import Standing, after
from chat2api.pool.values import Account, Lease, Need, Outcome


@dataclass(slots=True)
class _Entry:
    account: Account
    standing: Standing = field(default_factory=Standing)
    running: int = 0


@dataclass(eq=False, slots=True)
class _Waiter:
    need: Need
    ready: threading.Event = field(default_factory=threading.Event)
    entry: _Entry | None = None


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """`concurrency` 0 means no bound. `queue_seconds` is the longest wait for a slot."""

    concurrency: int = 10
    queue_seconds: float = 30.0
    queue_length: int = 1000
    enable_limit: bool = True


class MemoryPool:
    """`AccountPool` with strict rotation, slots per account, and a first-come queue."""

    def __init__(
        self,
        limits: PoolLimits,
        accounts: Iterable[Account] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[_Entry] = deque()
        self._waiters: deque[_Waiter] = deque()
        self._numbers = itertools.count(1)
        self.replace(accounts)

    def adopt(self, limits: PoolLimits) -> None:
        """Go by these limits from now on."""
        self._limits = limits

    def replace(self, accounts: Iterable[Account]) -> None:
        """Hold these accounts from now on; those that stay keep their standing and their turns."""
        with self._lock:
            known = {entry.account.account_id: entry for entry in self._entries}
            self._entries = deque()
            for account in accounts:
                entry = known.get(account.account_id) or _Entry(account)
                entry.account = account
                self._entries.append(entry)
            self._serve_waiters()

    def is_empty(self) -> bool:
        with self._lock:
            return not self._entries

    @contextmanager
    def lease(self, need: Need, call: Call) -> Iterator[Lease]:
        entry = self._take(need, call)
        try:
            yield Lease(f"lease-{next(self._numbers)}", entry.account)
        finally:
            with self._lock:
                entry.running -= 1
                self._serve_waiters()

    def report(self, lease: Lease, outcome: Outcome) -> None:
        with self._lock:
            for entry in self._entries:
                if entry.account.account_id == lease.account.account_id:
                    entry.standing = after(
                        entry.standing,
                        outcome,
                        self._clock(),
                        jitter=random.random(),
                        enable_limit=self._limits.enable_limit,
                    )
                    break
            self._serve_waiters()

    def glance(self, need: Need) -> Account | None:
        now = self._clock()
        with self._lock:
            for entry in self._entries:
                usable_from = entry.standing.usable_from(need.model, now)
                if self._matches(entry, need) and usable_from is not None and usable_from <= now:
                    return entry.account
        return None

    def refusal(self, need: Need) -> PoolError | None:
        with self._lock:
            return self._refusal(need)

    def standings(self) -> dict[str, Standing]:
        """A look at every account, by our id."""
        with self._lock:
            return {entry.account.account_id: entry.standing for entry in self._entries}

    # --- taking

    def _take(self, need: Need, call: Call) -> _Entry:
        call.check()
        with self._lock:
            entry = None if self._waiters else self._pick(need)
            if entry is not None:
                return entry
            self._refuse_if_hopeless(need)
            if len(self._waiters) >= self._limits.queue_length:
                raise Overloaded("Too many requests are waiting for a free account.", retry_after=5)
            waiter = _Waiter(need)
            self._waiters.append(waiter)
            self._serve_waiters()
        return self._wait(waiter, call)

    def _wait(self, waiter: _Waiter, call: Call) -> _Entry:
        try:
            with call.waking(waiter.ready.set):
                waiter.ready.wait(max(0.0, min(self._limits.queue_seconds, call.remaining())))
            call.check()
        except BaseException:
            self._withdraw(waiter)
            raise
        with self._lock:
            if waiter.entry is not None:
                return waiter.entry
            self._waiters.remove(waiter)
            raise self._refusal(waiter.need) or Overloaded(
                "Every account is busy; waiting took too long.", retry_after=5
            )

    def _withdraw(self, waiter: _Waiter) -> None:
        """Leave the queue; a slot that was handed over meanwhile goes to the next in it."""
        with self._lock:
            if waiter.entry is None:
                self._waiters.remove(waiter)
            else:
                waiter.entry.running -= 1
                self._serve_waiters()

    def _serve_waiters(self) -> None:
        """Hand free slots to whoever waits, oldest first; wake those for whom waiting lost its sense."""
        hopeless: dict[
            Need, bool
        ] = {}  # of the needs nobody is free for: most waiters have the same
        for waiter in list(self._waiters):
            need = waiter.need
            if need not in hopeless:
                waiter.entry = self._pick(need)
                if waiter.entry is not None:
                    self._waiters.remove(waiter)
                    waiter.ready.set()
                    continue
                hopeless[need] = self._refusal(need) is not None
            if hopeless[need]:
                waiter.ready.set()

    def _pick(self, need: Need) -> _Entry | None:
        """The next free account in rotation; a resting one only if no other is free."""
        now = self._clock()
        second_choice: _Entry | None = None
        for entry in self._entries:
            if not self._matches(entry, need) or self._is_full(entry):
                continue
            usable_from = entry.standing.usable_from(need.model, now)
            if usable_from is None or usable_from > now:
                continue
            if entry.standing.is_resting(now):
                second_choice = second_choice or entry
                continue
            return self._occupy(entry)
        return self._occupy(second_choice) if second_choice is not None else None

    def _occupy(self, entry: _Entry) -> _Entry:
        self._entries.remove(entry)
        self._entries.append(entry)
        entry.running += 1
        return entry

    def _is_full(self, entry: _Entry) -> bool:
        return 0 < self._limits.concurrency <= entry.running

    @staticmethod
    def _matches(entry: _Entry, need: Need) -> bool:
        account = entry.account
        if account.provider != need.provider or account.account_id in need.excluded:
            return False
        return need.only is None or account.account_id == need.only

    def _refuse_if_hopeless(self, need: Need) -> None:
        """Raise when waiting for a slot cannot help."""
        refusal = self._refusal(need)
        if refusal is not None:
            raise refusal

    def _refusal(self, need: Need) -> PoolError | None:
        now = self._clock()
        starts = self._starts(need, now)
        if not any(start is not None for start in starts):
            # Nobody is left to try. If those tried are merely limited, that is what there is to say.
            starts = self._starts(replace(need, excluded=frozenset()), now)
            if any(start is not None and start <= now for start in starts):
                return NoAccountAvailable("No other account is available for this request.")
        usable = [start for start in starts if start is not None]
        if not usable:
            if starts:
                return NoAccountAvailable("No account can be used: all need a new login.")
            return NoAccountAvailable("No account is available for this request.")
        earliest = min(usable)
        if earliest > now:
            return PoolExhausted(
                "All accounts are limited or cooling down; try again later.",
                retry_after=max(1.0, earliest - now),
            )
        return None

    def _starts(self, need: Need, now: float) -> list[float | None]:
        """From when each matching account may serve; None for not without a login."""
        return [
            entry.standing.usable_from(need.model, now)
            for entry in self._entries
            if self._matches(entry, need)
        ]
