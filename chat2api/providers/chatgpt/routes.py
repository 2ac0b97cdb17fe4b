"""Which generation of routes an upstream address has, remembered for a while (sheet 14, 1 and 4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from chat2api.errors import Chat2ApiError, NotFound, UpstreamBadResponse
from chat2api.providers.chatgpt.session import Session

KEEP_SECONDS = 3600.0

Endpoint = Literal["auto", "f", "classic"]


class Routes:
    """What was found missing, by upstream address and prefix."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._missing: dict[tuple[str, str], float] = {}

    # --- the sentinel's flow

    def two_step_missing(self, session: Session) -> bool:
        return self._is_missing(session, "two_step")

    def note_two_step_missing(self, session: Session) -> None:
        self._note(session, "two_step")

    # --- the conversation endpoint

    def conversation_order(self, session: Session, setting: Endpoint) -> tuple[bool, ...]:
        """In which order to try: True for f/conversation. Anonymous turns know the older one best."""
        if setting != "auto":
            return (setting == "f",)
        order = (False, True) if session.anonymous else (True, False)
        if self._is_missing(session, _name(order[0])):
            return (order[1], order[0])
        return order

    def note_missing(self, session: Session, *, newer: bool) -> None:
        self._note(session, _name(newer))

    @staticmethod
    def is_missing(problem: Chat2ApiError) -> bool:
        """Whether a 404 or 405 speaks of the path, and not of a model or a conversation."""
        return type(problem) in (NotFound, UpstreamBadResponse)

    def _is_missing(self, session: Session, what: str) -> bool:
        return self._missing.get((session.base + session.prefix, what), 0.0) > self._clock()

    def _note(self, session: Session, what: str) -> None:
        self._missing[(session.base + session.prefix, what)] = self._clock() + KEEP_SECONDS


def _name(newer: bool) -> str:
    return "f" if newer else "classic"
