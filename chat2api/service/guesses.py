"""Wrong API keys from one address, counted in this process: past a bound they are refused with 429.

Keys cannot be guessed, so this only keeps the noise down. It never touches a request with a good key.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.errors import TooManyLoginAttempts

WINDOW_SECONDS = 600.0
FREE = 100
_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 300.0
_MOST_ADDRESSES = 10_000


@dataclass(slots=True)
class _Count:
    failures: int
    since: float


class KeyGuesses:
    """`network` is what `store.attempts.network_of` makes of an address."""

    def __init__(self, free: int = FREE, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def failed(self, network: str) -> None:
        """Count one more. Raises TooManyLoginAttempts past the bound, with a wait that grows."""
        now = self._clock()
        with self._lock:
            count = self._counts.get(network)
            if count is None or now - count.since > WINDOW_SECONDS:
                count = self._counts[network] = _Count(0, now)
                if len(self._counts) > _MOST_ADDRESSES:
                    self._counts.popitem(last=False)
            count.failures += 1
            over = count.failures - self._free
        if over > 0:
            wait = min(_FIRST_WAIT_SECONDS * 2.0 ** min(over // 10, 20), _LONGEST_WAIT_SECONDS)
            raise TooManyLoginAttempts("Too many wrong API keys came from here.", retry_after=wait)
