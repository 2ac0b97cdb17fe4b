"""Ids we hand out."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_answer_id(prefix: str, length: int = 29) -> str:
    """Such as chatcmpl-… with 29 letters and digits, as the public API has them."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_request_id() -> str:
    return "req_" + secrets.token_hex(16)
