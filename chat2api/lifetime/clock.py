"""The time of day, steady: a jump of the system's clock must not expire everything at once.

Durations follow the clock that never jumps (and, where the system has one, goes on in suspension). The
time of day is read once and carried on from there; when the system's clock differs by more than five
minutes, that is told, and believed once it has lasted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

JUMP_SECONDS = 300.0
BELIEVED_AFTER_SECONDS = 600.0
_FOLLOWS_WITHIN_SECONDS = 30.0


def _running() -> float:
    """Seconds on a clock that nobody sets; suspension counts where the system can tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class SteadyClock:
    """`now()` in epoch seconds. `on_jump(seconds)` is called once per jump, from whoever asks the time."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        running: Callable[[], float] = _running,
        on_jump: Callable[[float], None] | None = None,
    ) -> None:
        self._wall = wall
        self._running = running
        self.on_jump: Callable[[float], None] = on_jump or (lambda seconds: None)
        self._lock = threading.Lock()
        self._offset = wall() - running()
        self._jumped_at: float | None = None

    def now(self) -> float:
        running, wall = self._running(), self._wall()
        off = wall - (running + self._offset)
        if abs(off) > JUMP_SECONDS:
            self._jumped(off, running)
        else:
            self._jumped_at = None
            if abs(off) > _FOLLOWS_WITHIN_SECONDS:
                self._offset = wall - running  # small corrections, of a time service, are followed
        return running + self._offset

    def _jumped(self, seconds: float, running: float) -> None:
        with self._lock:
            first = self._jumped_at is None
            if first:
                self._jumped_at = running
            lasted = 0.0 if self._jumped_at is None else running - self._jumped_at
            if lasted >= BELIEVED_AFTER_SECONDS:
                self._offset += seconds
                self._jumped_at = None
        if first:
            log.warning("the system clock jumped", extra={"seconds": round(seconds)})
            self.on_jump(seconds)
        elif lasted >= BELIEVED_AFTER_SECONDS:
            log.warning("the new system time has lasted and is believed")
