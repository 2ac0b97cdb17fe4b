"""Bounds what callers without an account of the pool may run at once; anybody can invent a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chat2api.errors import Overloaded


class OpenSeats:
    """Up to `most` at once; 0 for no bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a seat inside the block. Raises Overloaded when none is free; nobody waits here."""
        with self._lock:
            if 0 < self._most <= self._taken:
                raise Overloaded("This server is busy; try again.", retry_after=5)
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1
