"""The pause that long work makes now and then, so that the other requests of its process go on."""

from __future__ import annotations

import time
from collections.abc import Callable

BREATH_SECONDS = 0.0001
"""To be slept, not nothing: a sleep of 0 lets gevent go round among those who are ready, and as long as
that is only the sleeper itself, neither sockets nor timers are looked at."""

WORK_SECONDS = 0.005
"""At a stretch."""


class Breath:
    """For work of many small steps: called before each, it pauses once enough was done since the last time.

    The pause takes a millisecond and more, so one before every step would take longer than the work.
    """

    def __init__(
        self,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._paused_at = clock()

    def __call__(self) -> None:
        if self._clock() - self._paused_at >= WORK_SECONDS:
            self._sleep(BREATH_SECONDS)
            self._paused_at = self._clock()
