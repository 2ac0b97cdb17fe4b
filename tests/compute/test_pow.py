"""The search against the sheet's worked vectors, and against the plain definition."""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.compute.pow import Found, Variant, search

USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36"
)
SESSION = "11111111-2222-4333-8444-555555555555"
SDK = "https://chatgpt.com/backend-api/sentinel/sdk.js"

# fmt: off
VECTOR_A = [
    3008, "Tue Nov 05 2024 07:12:33 GMT-0500 (Eastern Standard Time)", 4294705152, 9, USER_AGENT, None,
    "prod-test-build", "en-US", "en-US,es-US,en,es", 4, "webdriver−false", "location", "innerWidth",
    1234.5, SESSION,
]
VECTOR_B = [
    3000, "Mon Apr 20 2026 09:30:00 GMT-0500 (Eastern Standard Time)", 4294705152, 65, USER_AGENT, SDK,
    "prod-test-build", "en-US", "en-US,en", 32, "vendor−Google Inc.", "location", "self", 2500.25,
    SESSION, "", 16, 1776695400000,
]
VECTOR_C = [
    3000, "Mon Jun 01 2026 09:30:00 GMT-0700 (Pacific Daylight Time)", 4294967296, 504, USER_AGENT, SDK,
    "prod-test-build", "en-US", "en-US,en", 12, "onLine−true", "location", "window", 3500.5, SESSION,
    "", 8, 1780331400000, 0, 0, 0, 0, 0, 0, 0,
]
# fmt: on
VECTORS = {"A": VECTOR_A, "B": VECTOR_B, "C": VECTOR_C}


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def encode(array: list[Any]) -> str:
    return base64.b64encode(dump(array)).decode()


def cut(array: list[Any]) -> tuple[bytes, bytes, bytes]:
    """The JSON around items 3 and 9."""
    return (
        dump(array[:3])[:-1] + b",",
        b"," + dump(array[4:9])[1:-1] + b",",
        b"," + dump(array[10:])[1:],
    )


def digest(variant: Variant, text: str) -> str:
    """The hash as the sheet words it."""
    if variant == "sha3":
        return hashlib.sha3_512(text.encode()).hexdigest()
    h = 2166136261
    for byte in text.encode():
        h = (h ^ byte) * 16777619 % 2**32
    h ^= h >> 16
    h = h * 2246822507 % 2**32
    h ^= h >> 13
    h = h * 3266489909 % 2**32
    h ^= h >> 16
    return f"{h:08x}"


def is_accepted(variant: Variant, seed: str, difficulty: str, text: str) -> bool:
    return digest(variant, seed + text)[: len(difficulty)] <= difficulty.lower()


def find(
    variant: Variant,
    seed: str,
    difficulty: str,
    array: list[Any],
    *,
    index9: int,
    max_tries: int = 500_000,
) -> Found | None:
    return search(
        variant, seed, difficulty, *cut(array), index9=index9, max_tries=max_tries, max_seconds=60
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("", "ab3e7c0b"), ("a", "1a80b1b3"), ("hello", "888d766e")]
)
def test_the_reference_hash_of_these_tests(text: str, expected: str) -> None:
    assert digest("fnv", text) == expected


@pytest.mark.parametrize(
    ("vector", "variant", "seed", "difficulty", "nonce", "index9", "beginning"),
    [
        ("A", "sha3", "0.7310585786300049", "0fffff", 9, 4, "025d2ee7fedad4f40b9ee264"),
        ("A", "sha3", "0.7310585786300049", "000fff", 6624, 3312, "000b5f2dd4e7343e"),
        ("B", "sha3", "0.4242424242424242", "061a80", 65, 32, "032180decd4b956152fecc0d"),
        ("C", "fnv", "0.1357924680246802", "00ffff", 504, 12, "0027177b"),
    ],
)
def test_the_reference_agrees_with_the_worked_vectors(
    vector: str,
    variant: Variant,
    seed: str,
    difficulty: str,
    nonce: int,
    index9: int,
    beginning: str,
) -> None:
    solved = list(VECTORS[vector])
    solved[3], solved[9] = nonce, index9

    assert digest(variant, seed + encode(solved)).startswith(beginning)
    assert is_accepted(variant, seed, difficulty, encode(solved))


@pytest.mark.parametrize(
    ("array", "variant", "seed", "difficulty"),
    [
        (VECTOR_A, "sha3", "0.7310585786300049", "0fffff"),
        (VECTOR_C, "fnv", "0.1357924680246802", "00ffff"),
    ],
)
def test_worked_vectors(array: list[Any], variant: Variant, seed: str, difficulty: str) -> None:
    """Those in which item 9 does not follow the nonce, or no earlier nonce would do with the same."""
    found = find(variant, seed, difficulty, array, index9=array[9])

    assert found == Found(array[3], encode(array))


@pytest.mark.parametrize(
    ("difficulty", "accepted"),
    [
        ("025d2e", True),  # equal to the digest's beginning
        ("025d2d", False),
        ("025d2", True),  # an odd number of digits
        ("025D2E", True),
        ("025d2ee7fedad4f40b9ee264bd3c7b24e21788bfeb07714f20441236fbb2fedf"
         "314e8b857a752f2c43a241a5f2af910f22a3271ab7a565fb6410d3570add1881", True),
        ("025d2ee7fedad4f40b9ee264bd3c7b24e21788bfeb07714f20441236fbb2fedf"
         "314e8b857a752f2c43a241a5f2af910f22a3271ab7a565fb6410d3570add1880", False),
    ],
)  # fmt: skip
def test_boundaries_of_acceptance(difficulty: str, accepted: bool) -> None:
    found = find("sha3", "0.7310585786300049", difficulty, VECTOR_A, index9=4, max_tries=10)

    assert (found is not None and found.nonce == 9) is accepted


def test_boundaries_of_acceptance_in_the_other_variant() -> None:
    def nonce(difficulty: str) -> int | None:
        found = find("fnv", "0.1357924680246802", difficulty, VECTOR_C, index9=12, max_tries=505)
        return found and found.nonce

    assert nonce("0027177b") == 504
    assert nonce("0027177a") is None
    assert nonce("0027177b0") == 504  # longer than the digest: as far as the digest goes
    assert nonce("002717") == 504
    assert nonce("00271") == 504
    assert nonce("") == 0


@settings(max_examples=150, deadline=None)
@given(
    variant=st.sampled_from(["sha3", "fnv"]),
    seed=st.text(max_size=20),
    difficulty=st.text("0123456789abcdefABCDEF", max_size=9).map(lambda rest: "0" + rest),
    first=st.text(max_size=12),
    between=st.text(max_size=200),
    last=st.text(max_size=200),
    index9=st.integers(0, 10**6),
)
def test_equals_the_plain_definition(
    variant: Variant,
    seed: str,
    difficulty: str,
    first: str,
    between: str,
    last: str,
    index9: int,
) -> None:
    """Also across 9 -> 10, 99 -> 100 and 999 -> 1000, where the encoding shifts."""
    array: list[Any] = [1, first, 3, 0, between, None, "", "", "", 0, last]

    def text(nonce: int) -> str:
        array[3], array[9] = nonce, index9
        return encode(array)

    tries = 1203
    expected = None
    for nonce in range(tries):
        if is_accepted(variant, seed, difficulty, text(nonce)):
            expected = Found(nonce, text(nonce))
            break

    assert find(variant, seed, difficulty, array, index9=index9, max_tries=tries) == expected


@pytest.mark.parametrize("variant", ["sha3", "fnv"])
@pytest.mark.parametrize("padding", ["", "x", "xx"])
def test_every_nonce_counts(variant: Variant, padding: str) -> None:
    """Nonces whose digest is lower than all before are the first solution of just that difficulty.

    They come early and late, and the padding moves them to every place in a base64 group.
    """
    lowest = "g"
    for nonce in range(11_500):
        array = [1, padding, 3, nonce, "agent", None, None, "", "", 7, "tail", "more"]
        hashed = digest(variant, "seed" + encode(array))
        if hashed < lowest:
            lowest = hashed
            solved = Found(nonce, encode(array))
            found = find(variant, "seed", hashed, array, index9=7, max_tries=nonce + 1)
            assert found == solved
            assert find(variant, "seed", hashed, array, index9=7, max_tries=nonce) is None


def test_time_is_a_limit() -> None:
    seconds = count()

    found = search(
        "sha3",
        "seed",
        "0" * 16,
        b"[",
        b",",
        b"]",
        index9=0,
        max_tries=10**12,
        max_seconds=5,
        clock=lambda: float(next(seconds)),
    )

    assert found is None
    assert next(seconds) == 6


def test_a_difficulty_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not hexadecimal"):
        find("fnv", "seed", "0x1_0", VECTOR_C, index9=1)
