"""How many turns an account has left: counted in windows that begin with their first turn."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

ALL_MODELS = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """So many turns in so many seconds: each for the named models, or one for all models together."""

    turns: int
    seconds: float = 10_800.0
    models: tuple[str, ...] = ()

    @property
    def meters(self) -> tuple[str, ...]:
        """The names that are counted under."""
        return self.models or (ALL_MODELS,)

    def meter(self, model: str) -> str | None:
        """The name a turn is counted under; None when it is free."""
        if not self.models:
            return ALL_MODELS
        return model if model in self.models else None


@dataclass(frozen=True, slots=True)
class Window:
    """The state of one count; `resets_at` is None before its first turn."""

    quota: Quota
    used: int = 0
    resets_at: float | None = None

    @property
    def is_full(self) -> bool:
        return self.used >= self.quota.turns

    @property
    def used_percent(self) -> int:
        return min(100 * self.used // self.quota.turns, 100) if self.quota.turns else 100


class Quotas:
    """The counts of all accounts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, dict[str, Window]] = {}  # by account and meter

    def take(self, name: str, quota: Quota, model: str) -> Window | None:
        """Counts a turn; gives the window instead when it is full."""
        meter = quota.meter(model)
        if meter is None:
            return None
        with self._lock:
            window = self._now(name, quota, meter)
            full = window.is_full
            window = self._begun(window, window.used + (not full))
            self._windows.setdefault(name, {})[meter] = window
            return window if full else None

    def set_used(self, name: str, quota: Quota, used: int) -> None:
        """Moves every count of an account; 0 begins anew."""
        with self._lock:
            self._windows[name] = {
                meter: self._begun(self._now(name, quota, meter), used) if used else Window(quota)
                for meter in quota.meters
            }

    def windows(self, name: str, quota: Quota) -> dict[str, Window]:
        """The windows of an account by meter."""
        with self._lock:
            return {meter: self._now(name, quota, meter) for meter in quota.meters}

    def forget(self, name: str) -> None:
        with self._lock:
            self._windows.pop(name, None)

    def clear(self) -> None:
        with self._lock:
            self._windows.clear()

    def _now(self, name: str, quota: Quota, meter: str) -> Window:
        window = self._windows.get(name, {}).get(meter)
        if window is None or (window.resets_at or math.inf) <= self._clock():
            return Window(quota)
        return window

    def _begun(self, window: Window, used: int) -> Window:
        resets_at = window.resets_at or self._clock() + window.quota.seconds
        return Window(window.quota, used, resets_at)
