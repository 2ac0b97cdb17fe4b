"""The prompt cache: how much of a request the backend has read before under the same key."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

from chat2api.simulator.turn import tokens

_BLOCK = 64
"""Tokens that are cached together."""
_KEPT = 2_000


class PromptCache:
    """The prompts that were read last, by account and key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    def read(self, owner: str, key: str, parts: Sequence[str]) -> int:
        """How many tokens of `parts` were there before, in whole blocks; remembers them now."""
        with self._lock:
            before = self._seen.pop((owner, key), ())
            self._seen[(owner, key)] = tuple(parts)
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)
        same = 0
        for old, new in zip(before, parts, strict=False):
            if old != new:
                break
            same += len(tokens(new))
        return same // _BLOCK * _BLOCK
