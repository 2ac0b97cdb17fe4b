"""The search for a proof of work: which nonce makes a message hash low enough. Pure but for a clock.

The message is `seed + base64(head + nonce + middle + index9 + tail)`, where the three byte strings are a
JSON array cut open around its items 3 and 9 (sheet 3.5). Two hashes are in use:

* "sha3": SHA3-512. Whatever stays the same before the nonce is absorbed once and the state is copied
  per attempt; what remains is the speed of the hash itself.
* "fnv": 32-bit FNV-1a with a final mix. One step is `h = (h ^ byte) * P mod 2**32`. XOR reaches only the
  low eight bits, and what those go through depends on nothing but themselves: over a fixed text of
  length L a state moves to `h * P**L + shift[h % 256]`. So 256 shifts stand for hundreds of steps. All
  other steps are taken for a thousand nonces at once, as lanes of one big integer.

Base64 turns 3 bytes into 4 characters, so the text after the nonce is encoded alike for all nonces of
equal length, and the text before it for all that differ in their last digits only. Such nonces form a
span; within it only four to eight characters change.
"""

from __future__ import annotations

import hashlib
import string
import time
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from chat2api.compute.lanes import FNV_PRIME, Lanes

Variant = Literal["sha3", "fnv"]

_SHA3_HEX = 128
_FNV_HEX = 8
_FNV_START = 2166136261
_HEX_DIGITS = frozenset(string.hexdigits)
_ONE_DIGIT = tuple(b"%d" % n for n in range(10))
_TWO_DIGITS = tuple(b"%02d" % n for n in range(100))
_THREE_DIGITS = tuple(b"%03d" % n for n in range(1000))


@dataclass(frozen=True, slots=True)
class Found:
    """A solution; `text` is the base64 of the array with this nonce in it."""

    nonce: int
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Nonces from `first` on, in order, which differ in their `endings` only.

    The encoded text is `stem`, then base64 of `carry + ending + fill`, then `rest`.
    """

    first: int
    endings: Sequence[bytes]
    stem: bytes
    carry: bytes
    fill: bytes
    rest: bytes

    def text(self, index: int) -> bytes:
        return self.stem + _base64(self.carry + self.endings[index] + self.fill) + self.rest


class Kernel(Protocol):
    def first_in(self, span: Span) -> int | None:
        """The index of the first ending in `span` that is accepted."""


def search(
    variant: Variant,
    seed: str,
    difficulty: str,
    head: bytes,
    middle: bytes,
    tail: bytes,
    *,
    index9: int,
    max_tries: int,
    max_seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Found | None:
    """The first nonce from 0 whose message is accepted; None if there is none within the bounds.

    Accepted means: the first `len(difficulty)` hex characters of the digest, compared as text, are less
    than or equal to `difficulty` in lower case. `index9` is item 9 of the array.
    Raises ValueError when `difficulty` is not hexadecimal.
    """
    give_up = clock() + max_seconds
    whole = len(head) - len(head) % 3
    lead = _base64(head[:whole])
    kernel: Kernel = (
        Sha3Kernel(seed.encode() + lead, difficulty)
        if variant == "sha3"
        else FnvKernel(seed.encode() + lead, difficulty)
    )
    for span in _spans(head[whole:], middle, index9, tail, max_tries):
        index = kernel.first_in(span)
        if index is not None:
            return Found(span.first + index, (lead + span.text(index)).decode())
        if clock() >= give_up:
            return None
    return None


class Sha3Kernel:
    """Tries nonces against SHA3-512. `lead` is everything that comes before the spans."""

    def __init__(self, lead: bytes, difficulty: str) -> None:
        self._state = hashlib.sha3_512(lead, usedforsecurity=False)
        self._highest = bytes.fromhex(_highest_digest(difficulty, _SHA3_HEX))

    def first_in(self, span: Span) -> int | None:
        start = self._state.copy()
        start.update(span.stem)
        copy, encode, highest = start.copy, b2a_base64, self._highest
        carry, fill, rest = span.carry, span.fill, span.rest
        for index, ending in enumerate(span.endings):
            state = copy()
            state.update(encode(carry + ending + fill, newline=False) + rest)
            if state.digest() <= highest:
                return index
        return None


class FnvKernel:
    """Tries nonces against the FNV variant; the module's docstring has the idea."""

    def __init__(self, lead: bytes, difficulty: str) -> None:
        self._state = _absorb(lead, _FNV_START)
        self._highest = int(_highest_digest(difficulty, _FNV_HEX), 16)
        self._lanes: dict[int, Lanes] = {}
        self._rest: bytes | None = None  # the text that `_factor` and `_shifts` leap over
        self._factor = 1
        self._shifts: list[int] = []

    def first_in(self, span: Span) -> int | None:
        lanes = self._lanes_for(len(span.endings))
        states = lanes.every(_absorb(span.stem, self._state))
        windows = _windows(span)
        width = len(windows) // len(span.endings)
        for column in range(width):
            states = lanes.step(states, lanes.spread(windows[column::width]))
        digests = lanes.unpack(lanes.mixed(self._after_rest(lanes, states, span)))
        if min(digests) > self._highest:
            return None
        return next(index for index, digest in enumerate(digests) if digest <= self._highest)

    def _after_rest(self, lanes: Lanes, states: int, span: Span) -> int:
        if span.rest is not self._rest:
            if len(span.endings) < 256:  # cheaper than learning 256 shifts
                return lanes.absorbed(states, span.rest)
            self._learn(span.rest)
        factor, shifts = self._factor, self._shifts
        return lanes.pack([h * factor + shifts[h & 0xFF] for h in lanes.unpack(states)])

    def _learn(self, rest: bytes) -> None:
        lows = range(256)
        lanes = self._lanes_for(256)
        ends = lanes.unpack(lanes.absorbed(lanes.pack(lows), rest))
        self._rest = rest
        self._factor = pow(FNV_PRIME, len(rest), 1 << 32)
        self._shifts = [
            (end - low * self._factor) % (1 << 32) for low, end in zip(lows, ends, strict=True)
        ]

    def _lanes_for(self, count: int) -> Lanes:
        lanes = self._lanes.get(count)
        if lanes is None:
            lanes = self._lanes[count] = Lanes(count)
        return lanes


def _windows(span: Span) -> bytes:
    """The varying base64 of all endings, one after the other. Each fills whole groups of three bytes."""
    return _base64(span.carry + (span.fill + span.carry).join(span.endings) + span.fill)


def _absorb(text: bytes, h: int) -> int:
    for byte in text:
        h = (h ^ byte) * FNV_PRIME & 0xFFFFFFFF
    return h


def _highest_digest(difficulty: str, length: int) -> str:
    """The greatest digest of `length` hex characters that is accepted.

    Filling up with "f" keeps the rule for odd lengths; a difficulty longer than the digest counts as
    far as the digest goes, since a text is greater than its own beginning.
    """
    if not _HEX_DIGITS.issuperset(difficulty):
        raise ValueError("the difficulty is not hexadecimal")
    return difficulty.lower().ljust(length, "f")[:length]


def _spans(
    before: bytes, middle: bytes, index9: int, tail: bytes, max_tries: int
) -> Iterator[Span]:
    """All nonces below `max_tries` in order. `before` is what of the head filled no group of three."""
    after = _After(middle + b"%d" % index9 + tail)
    for first, endings in ((0, _ONE_DIGIT), (10, _TWO_DIGITS[10:]), (100, _THREE_DIGITS[100:])):
        if first < max_tries:
            yield after.span(before, first, endings[: max_tries - first])
    for first in range(1000, max_tries, 1000):
        stem = before + b"%d" % (first // 1000)
        yield after.span(stem, first, _THREE_DIGITS[: max_tries - first])


class _After:
    """The text after the nonce, which is encoded in one of three ways: one per place in a group."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._encoded: dict[int, bytes] = {}

    def span(self, before: bytes, first: int, endings: Sequence[bytes]) -> Span:
        whole = len(before) - len(before) % 3
        missing = -(len(before) + len(endings[0])) % 3
        rest = self._encoded.get(missing)
        if rest is None:
            rest = self._encoded[missing] = _base64(self._text[missing:])
        fill = self._text[:missing]
        return Span(first, endings, _base64(before[:whole]), before[whole:], fill, rest)


def _base64(data: bytes) -> bytes:
    return b2a_base64(data, newline=False)
