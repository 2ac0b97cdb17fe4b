"""How far our clock is from the upstream's, by the dates of its answers. Tokens end by its clock, not by ours."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from statistics import median

_LOOK_EVERY_SECONDS = 60.0
_KEPT = 5
_LEAST = 3


class FarClock:
    """Made once per process. One answer a minute is looked at."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._look_at = 0.0
        self._offsets: deque[float] = deque(maxlen=_KEPT)

    def note(self, date: str | None) -> None:
        """Of an answer that is just here."""
        now = self._monotonic()
        with self._lock:
            if date is None or now < self._look_at:
                return
            self._look_at = now + _LOOK_EVERY_SECONDS
        try:
            told = parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError, OverflowError):
            return
        with self._lock:
            self._offsets.append(self._clock() - told)

    @property
    def offset(self) -> float | None:
        """Seconds that ours is ahead, negative behind; None while too few answers told. A stale date of a
        single answer does not count: the middle of several does."""
        with self._lock:
            offsets = list(self._offsets)
        return median(offsets) if len(offsets) >= _LEAST else None
