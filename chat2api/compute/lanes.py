"""Many small numbers computed on at once, as lanes of one big integer. Pure.

An operation on a big integer costs little more than one on a small one, so a step of FNV-1a on a thousand
lanes takes some microseconds where a loop takes fifty.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FNV_PRIME = 16777619


class Lanes:
    """Arithmetic on `count` numbers of 32 bits at once: each has 64 bits of one big integer for itself,
    so that no product reaches its neighbour.
    """

    def __init__(self, count: int) -> None:
        self._layout = struct.Struct(f"<{count}Q")
        self._ones = self.pack([1] * count)
        self._words = self.every(0xFFFFFFFF)
        self._low_16 = self.every(0xFFFF)
        self._low_19 = self.every(0x7FFFF)

    def pack(self, numbers: Sequence[int]) -> int:
        return int.from_bytes(self._layout.pack(*numbers), "little")

    def unpack(self, lanes: int) -> tuple[int, ...]:
        return self._layout.unpack(lanes.to_bytes(self._layout.size, "little"))

    def every(self, number: int) -> int:
        """The same number in all lanes."""
        return number * self._ones

    def spread(self, column: bytes) -> int:
        """One byte to each lane."""
        spaced = bytearray(self._layout.size)
        spaced[::8] = column
        return int.from_bytes(spaced, "little")

    def step(self, states: int, spread: int) -> int:
        """One step of FNV-1a with a byte in each lane."""
        return (states ^ spread) * FNV_PRIME & self._words

    def absorbed(self, states: int, text: bytes) -> int:
        """All steps of the same text."""
        spreads = {byte: self.every(byte) for byte in set(text)}
        for byte in text:
            states = self.step(states, spreads[byte])
        return states

    def mixed(self, states: int) -> int:
        """The final mix. Takes up to 64 bits a lane, of which the lower half counts."""
        h = states & self._words
        h ^= h >> 16 & self._low_16
        h = h * 2246822507 & self._words
        h ^= h >> 13 & self._low_19
        h = h * 3266489909 & self._words
        return h ^ h >> 16 & self._low_16
