"""Stored keys, remembered for a moment: a revoked key is refused at once, and a valid one survives an
outage of the database (fault matrix E04, E06, G05).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chat2api.errors import StorageUnavailable
from chat2api.store.api_keys import ApiKey

FRESH_SECONDS = 1.5
ASK_AGAIN_SECONDS = 2.0
MOST_KEPT = 10_000


class KeySource(Protocol):
    """Where keys are looked up by hash."""

    def find(self, key_hash: str) -> ApiKey | None:
        """The key, also an expired or revoked one. Raises StorageUnavailable."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: ApiKey
    checked_at: (
        float  # when the question was put, so that a late answer does not pass for a new one
    )


class KeyCache:
    """Made once per process. Wrong keys are not remembered, so they cannot push good ones out."""

    def __init__(
        self,
        source: KeySource,
        grace_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self.grace_seconds = grace_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._ask_again_at: float | None = None  # set while the database is away

    def find(self, key_hash: str) -> ApiKey | None:
        """The key, at most 1.5 s old; older, up to the grace, while the database is away.

        Raises StorageUnavailable when nobody can tell: it may well be a valid key.
        """
        now = self._clock()
        kept = self._kept.get(key_hash)
        if kept is not None and now - kept.checked_at < FRESH_SECONDS:
            return kept.key
        if not self._may_ask(now):
            return self._graced(kept, now)
        try:
            key = self._source.find(key_hash)
        except StorageUnavailable:
            with self._lock:
                self._ask_again_at = self._clock() + ASK_AGAIN_SECONDS
            return self._graced(self._kept.get(key_hash), self._clock())
        self._ask_again_at = None
        self._keep(key_hash, key, now)
        return key

    def _may_ask(self, now: float) -> bool:
        """While the database is away one caller at a time finds out whether it is back."""
        with self._lock:
            if self._ask_again_at is None:
                return True
            if now < self._ask_again_at:
                return False
            self._ask_again_at = now + ASK_AGAIN_SECONDS
            return True

    def _graced(self, kept: _Kept | None, now: float) -> ApiKey:
        if kept is None or now - kept.checked_at >= self.grace_seconds:
            raise StorageUnavailable(
                "The database does not answer, so this key cannot be checked.",
                retry_after=ASK_AGAIN_SECONDS,
            )
        return kept.key

    def _keep(self, key_hash: str, key: ApiKey | None, asked_at: float) -> None:
        with self._lock:
            kept = self._kept.get(key_hash)
            if kept is not None and kept.checked_at > asked_at:
                return
            if key is None:
                self._kept.pop(key_hash, None)
                return
            self._kept[key_hash] = _Kept(key, asked_at)
            self._kept.move_to_end(key_hash)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
