"""The verifier agrees with published hashes and worked examples."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chat2api.simulator.config import Variant
from chat2api.simulator.proof import answer_fault, digest, fnv_mix, requirements_fault

UA = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36"
)
WINTER = "Tue Nov 05 2024 07:12:33 GMT-0500 (Eastern Standard Time)"
SPRING = "Mon Apr 20 2026 09:30:00 GMT-0500 (Eastern Standard Time)"
SUMMER = "Mon Jun 01 2026 09:30:00 GMT-0700 (Pacific Daylight Time)"
SDK = "https://chatgpt.com/backend-api/sentinel/sdk.js"
DEVICE = "11111111-2222-4333-8444-555555555555"


def fifteen(nonce: int) -> list[Any]:
    head = [3008, WINTER, 4294705152, nonce, UA, None, "prod-test-build", "en-US"]
    return [
        *head,
        *("en-US,en,es-US,es".replace("en,es-US,es", "es-US,en,es"), nonce >> 1),
        *("webdriver−false", "location", "innerWidth", 1234.5, DEVICE),
    ]


def eighteen(nonce: int) -> list[Any]:
    head = [3000, SPRING, 4294705152, nonce, UA, SDK, "prod-test-build", "en-US", "en-US,en"]
    tail = ["vendor−Google Inc.", "location", "self", 2500.25, DEVICE, "", 16, 1776695400000]
    return [*head, nonce >> 1, *tail]


def twenty_five(nonce: int) -> list[Any]:
    head = [3000, SUMMER, 4294967296, nonce, UA, SDK, "prod-test-build", "en-US", "en-US,en"]
    tail = ["onLine−true", "location", "window", 3500.5, DEVICE, "", 8, 1780331400000]
    return [*head, 12, *tail, *[0] * 7]


def payload(array: list[Any]) -> str:
    text = json.dumps(array, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(text.encode()).decode()


A_SEED, B_SEED, C_SEED = "0.7310585786300049", "0.4242424242424242", "0.1357924680246802"


def test_fnv_check_values() -> None:
    assert [fnv_mix(text) for text in (b"", b"a", b"hello")] == ["ab3e7c0b", "1a80b1b3", "888d766e"]


@pytest.mark.parametrize(
    ("variant", "seed", "array", "begins"),
    [
        ("sha3", A_SEED, fifteen(9), "025d2ee7fedad4f40b9ee264bd3c7b24"),
        ("sha3", A_SEED, fifteen(6624), "000b5f2dd4e7343e"),
        ("sha3", B_SEED, eighteen(65), "032180decd4b956152fecc0db352229a"),
        ("fnv", C_SEED, twenty_five(504), "0027177b"),
    ],
)
def test_worked_digests(variant: Variant, seed: str, array: list[Any], begins: str) -> None:
    assert digest((seed + payload(array)).encode(), variant).startswith(begins)


def check(token: object, seed: str, difficulty: str, variant: Variant = "sha3") -> str | None:
    return answer_fault(token, seed=seed, difficulty=difficulty, variant=variant, user_agent=UA)


@pytest.mark.parametrize(
    ("array_of", "seed", "difficulty", "variant", "solution"),
    [
        (fifteen, A_SEED, "0fffff", "sha3", 9),
        (eighteen, B_SEED, "061a80", "sha3", 65),
        (twenty_five, C_SEED, "00ffff", "fnv", 504),
    ],
)
def test_the_first_solution_is_the_first_accepted(
    array_of: Any, seed: str, difficulty: str, variant: Variant, solution: int
) -> None:
    verdicts = [
        check("gAAAAAB" + payload(array_of(nonce)) + "~S", seed, difficulty, variant)
        for nonce in range(solution + 1)
    ]
    assert verdicts == ["proof_work"] * solution + [None]


@pytest.mark.parametrize(
    ("difficulty", "verdict"),
    [("025d2e", None), ("025d2d", "proof_work"), ("025d2", None), ("025D2E", None)],
)
def test_acceptance_at_the_boundary(difficulty: str, verdict: str | None) -> None:
    assert check("gAAAAAB" + payload(fifteen(9)), A_SEED, difficulty) == verdict


def changed(index: int, value: Any) -> str:
    array = fifteen(9)
    array[index] = value
    return "gAAAAAB" + payload(array)


@pytest.mark.parametrize(
    ("token", "verdict"),
    [
        (None, "proof_prefix"),
        (7, "proof_prefix"),
        ("gAAAAAC" + payload(fifteen(9)), "proof_prefix"),
        ("gAAAAABwQ8Lk5FbGpA2NcR9dShT6gYjU7VxZ4DImUi~S", "proof_unsolved"),
        ("gAAAAAB~S", "proof_shape"),
        ("gAAAAAB!!!", "proof_shape"),
        ("gAAAAAB\ud83d", "proof_shape"),
        ("gAAAAAB" + payload(fifteen(9)[:12]), "proof_shape"),
        (changed(3, -1), "proof_nonce"),
        (changed(3, True), "proof_nonce"),
        (changed(3, "9"), "proof_nonce"),
        (changed(4, "another browser"), "proof_user_agent"),
        (changed(3, 10), None),
    ],
)
def test_what_is_refused_besides_too_little_work(token: object, verdict: str | None) -> None:
    assert check(token, A_SEED, "f" * 6) == verdict


@pytest.mark.parametrize(
    ("token", "verdict"),
    [
        ("gAAAAAC" + payload(fifteen(1)), None),
        ("gAAAAAC" + payload(twenty_five(1)) + "~S", None),
        ("gAAAAAB" + payload(fifteen(1)), "requirements_prefix"),
        (None, "requirements_prefix"),
        ("gAAAAAC" + base64.b64encode(b'"e"').decode(), "requirements_shape"),
        ("gAAAAAC???", "requirements_shape"),
    ],
)
def test_requirements_tokens_are_checked_for_shape(token: object, verdict: str | None) -> None:
    assert requirements_fault(token) == verdict
