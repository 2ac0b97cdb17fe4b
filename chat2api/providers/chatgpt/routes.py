"""Which generation of routes an upstream address has, remembered for a while (sheet 14, 1 and 4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from chat2api.providers.chatgpt.session import Session

KEEP_SECONDS = 3600.0

Endpoint = Literal["auto", "f", "classic"]
Flow = Literal["auto", "single", "two_step"]
What = Literal["f", "classic", "single", "two_step"]

_OTHER: Mapping[What, What] = MappingProxyType(
    {"f": "classic", "classic": "f", "single": "two_step", "two_step": "single"}
)


class Routes:
    """What was found missing, by upstream address and prefix."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._missing: dict[tuple[str, str], float] = {}

    def sentinel_order(self, session: Session, setting: Flow) -> tuple[bool, ...]:
        """In which order to try the sentinel's flows: True for two steps."""
        if setting != "auto":
            return (setting == "two_step",)
        return (False, True) if self._is_missing(session, "two_step") else (True, False)

    def conversation_order(self, session: Session, setting: Endpoint) -> tuple[bool, ...]:
        """In which order to try: True for f/conversation. Anonymous turns know the older one best."""
        if setting != "auto":
            return (setting == "f",)
        first = not session.anonymous
        if self._is_missing(session, "f" if first else "classic"):
            first = not first
        return (first, not first)

    def note_missing(self, session: Session, what: What) -> None:
        """Try this one last for a while. What stands on the other side was missing before, or never tried."""
        self._missing[(session.base + session.prefix, what)] = self._clock() + KEEP_SECONDS
        self._missing.pop((session.base + session.prefix, _OTHER[what]), None)

    def _is_missing(self, session: Session, what: What) -> bool:
        return self._missing.get((session.base + session.prefix, what), 0.0) > self._clock()
