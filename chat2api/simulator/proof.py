"""The verifier's side of the proof of work (sheet 3.5): hashes, acceptance rule, shape of the tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from chat2api.simulator.config import Variant

REQUIREMENTS_PREFIX = "gAAAAAC"
ANSWER_PREFIX = "gAAAAAB"
SUFFIX = "~S"
UNSOLVED_MARK = "wQ8Lk5FbGpA2NcR9dShT6gYjU7VxZ4D"
_WORD = 0xFFFFFFFF


def fnv_mix(text: bytes) -> str:
    """32-bit FNV-1a with a final mix, as eight lower-case hex digits."""
    value = 2166136261
    for byte in text:
        value = ((value ^ byte) * 16777619) & _WORD
    value ^= value >> 16
    value = (value * 2246822507) & _WORD
    value ^= value >> 13
    value = (value * 3266489909) & _WORD
    value ^= value >> 16
    return f"{value:08x}"


def digest(text: bytes, variant: Variant) -> str:
    """Lower-case hex digest of `text` in the given variant."""
    return hashlib.sha3_512(text).hexdigest() if variant == "sha3" else fnv_mix(text)


def work_is_enough(payload: str, seed: str, difficulty: str, variant: Variant) -> bool:
    """Whether the digest's leading digits are at most the difficulty (equal is accepted)."""
    found = digest((seed + payload).encode("utf-8", "replace"), variant)
    return found[: len(difficulty)] <= difficulty.lower()


def decode_array(payload: str) -> list[Any] | None:
    """The JSON list inside a token's payload, or None when it is not one."""
    try:
        value = json.loads(base64.b64decode(payload, validate=True).decode())
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, list) else None


def requirements_fault(token: object) -> str | None:
    """Why a requirements token `p` is refused: only its shape counts. None when it is fine."""
    if not isinstance(token, str) or not token.startswith(REQUIREMENTS_PREFIX):
        return "requirements_prefix"
    payload = token.removeprefix(REQUIREMENTS_PREFIX).removesuffix(SUFFIX)
    return None if decode_array(payload) else "requirements_shape"


def answer_fault(
    token: object, *, seed: str, difficulty: str, variant: Variant, user_agent: str
) -> str | None:
    """Why an answer token is refused, as one word for the counters; None when it is accepted."""
    if not isinstance(token, str) or not token.startswith(ANSWER_PREFIX):
        return "proof_prefix"
    payload = token.removeprefix(ANSWER_PREFIX).removesuffix(SUFFIX)
    if payload.startswith(UNSOLVED_MARK):
        return "proof_unsolved"
    if not work_is_enough(payload, seed, difficulty, variant):
        return "proof_work"
    array = decode_array(payload)
    if array is None or len(array) < 13:
        return "proof_shape"
    nonce = array[3]
    if type(nonce) is not int or nonce < 0:
        return "proof_nonce"
    return None if array[4] == user_agent else "proof_user_agent"
