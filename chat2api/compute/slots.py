"""A limited number of places, given out in the order in which they were asked for."""

from __future__ import annotations

import threading
from collections import deque

from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.lifetime.call import Call

_LONGEST_WAIT = 86_400.0


class Slots:
    """Counts free places and keeps a queue. A place that is given back passes to the first in it."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def acquire(self, call: Call) -> None:
        """Wait for a place as long as the call lives.

        Raises what the call was cancelled with, ComputeTimeout at its deadline, ComputeFailed when
        closed.
        """
        call.check()
        with self._lock:
            if self._closed:
                raise ComputeFailed("compute is shut down")
            if self._free:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            with call.waking(turn.set):
                turn.wait(min(call.remaining(), _LONGEST_WAIT))
            call.check()
            self._check_granted(turn)
        except BaseException:  # also the end of a green thread: a granted place must not get lost
            self._leave(turn)
            raise

    def release(self) -> None:
        with self._lock:
            self._pass_on()

    def close(self) -> None:
        """Turn everybody away who waits or comes later."""
        with self._lock:
            self._closed = True
            for turn in self._waiting:
                turn.set()

    def _check_granted(self, turn: threading.Event) -> None:
        with self._lock:
            if turn not in self._waiting:
                return
            if self._closed:
                raise ComputeFailed("compute is shut down")
        raise ComputeTimeout("no compute process became free before the deadline")

    def _leave(self, turn: threading.Event) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting and not self._closed:
            self._waiting.popleft().set()
        else:
            self._free += 1
