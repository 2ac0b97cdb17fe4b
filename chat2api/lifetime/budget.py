"""A bound on the bytes that all requests of a worker hold together, so that no few can take it all."""

from __future__ import annotations

import threading

from chat2api.errors import Overloaded


class ByteBudget:
    """`limit_bytes` in all."""

    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Raises Overloaded when fewer than `count` bytes are left; nothing is taken then."""
        with self._lock:
            if count > self._left:
                raise Overloaded("This server holds too many large requests.", retry_after=5)
            self._left -= count

    def give_back(self, count: int) -> None:
        with self._lock:
            self._left += count
