"""One caller's request while it lives: its deadline, and the one way to end it early.

Whoever waits for something (an upstream socket, a compute job, a free account) hooks its own waking-up
onto the call; whoever learns that the call is over (caller gone, deadline, shutdown) cancels it once.
No sockets here: hooks are plain callables.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chat2api.errors import Chat2ApiError

log = logging.getLogger(__name__)


class Call:
    """Shared by every room that works for one request. Safe to cancel from any thread.

    `deadline` is a reading of `time.monotonic()`, in seconds; math.inf for none.
    """

    __slots__ = ("_hooks", "_lock", "deadline", "error", "request_id")

    def __init__(self, deadline: float, request_id: str = "-") -> None:
        self.deadline = deadline
        self.request_id = request_id
        self.error: Chat2ApiError | None = None
        self._hooks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def cancel(self, error: Chat2ApiError) -> bool:
        """End the call with `error`. The first caller wins; returns whether this was it."""
        with self._lock:
            if self.error is not None:
                return False
            self.error = error
            hooks, self._hooks = self._hooks, []
        for hook in hooks:
            try:
                hook()
            except Exception:  # a boundary: the other waiters must wake all the same
                log.exception("waking a waiter failed")
        return True

    def check(self) -> None:
        """Raise the error the call was cancelled with, if it was."""
        if self.error is not None:
            raise self.error

    def remaining(self) -> float:
        """Seconds to the deadline; negative when it has passed."""
        return self.deadline - time.monotonic()

    def pause(self, seconds: float) -> None:
        """Sleep, but no longer than to the deadline. Raises at once when the call is cancelled."""
        woken = threading.Event()
        with self.waking(woken.set):
            woken.wait(max(0.0, min(seconds, self.remaining())))
        self.check()

    @contextmanager
    def waking(self, hook: Callable[[], None]) -> Iterator[None]:
        """Run `hook` if the call is cancelled inside the block (at once if it already was)."""
        with self._lock:
            cancelled = self.error is not None
            if not cancelled:
                self._hooks.append(hook)
        if cancelled:
            hook()
        try:
            yield
        finally:
            with self._lock:
                if hook in self._hooks:
                    self._hooks.remove(hook)
