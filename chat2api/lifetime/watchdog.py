"""One thread per worker process that looks at everything that waits, several times a second.

Timers per read would cost more than the reads (a stream reads thousands of times); one pass over all
live waits every quarter of a second costs a microsecond each. Idle limits, deadlines, keep-alives and
vanished callers are all seen here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)


class Watched(Protocol):
    def tick(self, now: float) -> None:
        """Look at the clock (`time.monotonic()`) and act if something is due. Must not block."""


class Watchdog:
    """Calls `tick` of everything added. The thread starts with the first entry and sleeps when empty."""

    def __init__(
        self, interval_seconds: float = 0.25, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = interval_seconds
        self._clock = clock
        self._entries: set[Watched] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def add(self, entry: Watched) -> None:
        with self._lock:
            self._entries.add(entry)
            if self._thread is None and not self._stopped:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def remove(self, entry: Watched) -> None:
        with self._lock:
            self._entries.discard(entry)

    def stop(self) -> None:
        """End the thread. For tests and orderly shutdown."""
        self._stopped = True
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def tick(self) -> None:
        """One pass. The thread calls it; tests may."""
        with self._lock:
            entries = list(self._entries)
        now = self._clock()
        for entry in entries:
            try:
                entry.tick(now)
            except Exception:  # a boundary: one bad entry must not stop the watch over the others
                log.exception("watchdog entry failed")

    def _run(self) -> None:
        while not self._stopped:
            if self._entries:
                time.sleep(self._interval)
                self.tick()
            else:
                self._wake.clear()
                if not self._entries and not self._stopped:
                    self._wake.wait(timeout=60)
