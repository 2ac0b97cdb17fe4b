"""Everything one worker process holds, in one frozen object; reached from `app.extensions["chat2api"]`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.lifetime.budget import ByteBudget
from chat2api.lifetime.watchdog import Watchdog
from chat2api.service.access import Access
from chat2api.service.completion import Completions
from chat2api.service.models import ModelCatalog
from chat2api.settings.model import Settings


class Lifecycle:
    """Whether this worker still takes work. Draining begins once and never ends.

    `cut_at` is the `time.monotonic()` reading at which running streams are told to end.
    """

    def __init__(self, drain_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._drain_seconds = drain_seconds
        self._clock = clock
        self.cut_at: float | None = None

    @property
    def draining(self) -> bool:
        return self.cut_at is not None

    def begin_drain(self) -> None:
        if self.cut_at is None:
            self.cut_at = self._clock() + self._drain_seconds


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    lifecycle: Lifecycle
    watchdog: Watchdog
    bodies: ByteBudget
    access: Access
    completions: Completions
    catalog: ModelCatalog
    close: Callable[[], None]
