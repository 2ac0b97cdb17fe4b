"""The queue of requests that wait for a free account: first come, first served, per need."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chat2api.errors import Chat2ApiError, Overloaded, PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Lease, Need

# Slots are given back by other processes too, which tell nobody here: the queue looks this often.
LOOK_SECONDS = 0.25


@dataclass(eq=False, slots=True)
class Waiter:
    need: Need
    ready: threading.Event = field(default_factory=threading.Event)
    lease: Lease | None = None
    error: Chat2ApiError | None = None


class WaitingLine:
    """`take` tries to lease for a need; `refusal` tells why waiting is in vain; `give_back` undoes `take`.

    None of them is called while the line's own lock is held: they may wait for the database.
    """

    def __init__(
        self,
        take: Callable[[Need], Lease | None],
        refusal: Callable[[Need], PoolError | None],
        give_back: Callable[[Lease], None],
        *,
        seconds: float,
        length: int,
    ) -> None:
        self._take = take
        self._refusal = refusal
        self._give_back = give_back
        self._seconds = seconds
        self._length = length
        self._lock = threading.Lock()
        self._waiters: deque[Waiter] = deque()
        self._serving = False
        self._again = False

    def adopt(self, seconds: float, length: int) -> None:
        """Other limits for whoever comes from now on."""
        self._seconds, self._length = seconds, length

    @property
    def is_empty(self) -> bool:
        return not self._waiters

    def wait(self, need: Need, call: Call) -> Lease:
        """Raises Overloaded, what `refusal` says, or what the call was cancelled with."""
        waiter = Waiter(need)
        with self._lock:
            if len(self._waiters) >= self._length:
                raise Overloaded("Too many requests are waiting for a free account.", retry_after=5)
            self._waiters.append(waiter)
        try:
            self.serve()
            return self._wait(waiter, call)
        except BaseException:
            self._withdraw(waiter)
            raise

    def _wait(self, waiter: Waiter, call: Call) -> Lease:
        end = time.monotonic() + min(self._seconds, call.remaining())
        with call.waking(waiter.ready.set):
            while (left := end - time.monotonic()) > 0:
                if waiter.ready.wait(min(LOOK_SECONDS, left)):
                    break
                if self._waiters and self._waiters[0] is waiter:
                    self.serve()
        call.check()
        if waiter.error is not None:
            raise waiter.error
        if waiter.lease is None:
            raise self._refusal(waiter.need) or Overloaded(
                "Every account is busy; waiting took too long.", retry_after=5
            )
        return waiter.lease

    def _withdraw(self, waiter: Waiter) -> None:
        """Leave the line; a slot that was handed over meanwhile goes to the next in it."""
        with self._lock:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            lease, waiter.lease = waiter.lease, None
        if lease is not None:
            self._give_back(lease)
            self.serve()

    def serve(self) -> None:
        """Hand free slots to whoever waits, oldest first. One thread at a time; others leave it to that."""
        with self._lock:
            self._again = True
            if self._serving or not self._waiters:
                return
            self._serving = True
        try:
            while self._asked_again():
                self._serve_once()
        except BaseException:
            with self._lock:
                self._serving = False
            raise

    def _asked_again(self) -> bool:
        """Whether there is something to do; once not, the next who asks serves."""
        with self._lock:
            self._serving, self._again = self._again, False
            return self._serving

    def _serve_once(self) -> None:
        in_vain: set[Need] = set()  # most waiters need the same
        for waiter in list(self._waiters):
            if waiter.need in in_vain:
                continue
            error: Chat2ApiError | None = None
            try:
                lease = self._take(waiter.need)
                if lease is None:
                    error = self._refusal(waiter.need)
            except Chat2ApiError as problem:
                lease, error = None, problem
            if lease is None and error is None:
                in_vain.add(waiter.need)
                continue
            self._hand_over(waiter, lease, error)

    def _hand_over(self, waiter: Waiter, lease: Lease | None, error: Chat2ApiError | None) -> None:
        with self._lock:
            still_there = waiter in self._waiters
            if still_there:
                self._waiters.remove(waiter)
                waiter.lease, waiter.error = lease, error
        if still_there:
            waiter.ready.set()
        elif lease is not None:
            self._give_back(lease)
