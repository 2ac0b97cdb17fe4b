"""What an access or id token says about its account. Pure; nothing is verified.

Claims of upstream tokens are hints: they name an account and tell when its token ends. They never decide
what a caller of ours may do.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from typing import Any

from chat2api.pool.tokens import LONGEST_TOKEN
from chat2api.secret import Secret

_AUTH = "https://api.openai.com/auth"
_PROFILE = "https://api.openai.com/profile"
_LONGEST_TEXT = 320
# A date beyond this is a mistake or a trick, and would never come.
_LATEST_EPOCH = 253_402_300_799.0


@dataclass(frozen=True, slots=True)
class Claims:
    """`expires_at` in epoch seconds, None when the token does not say. Texts may be empty.

    `fedramp`: the workspace is one of the American government's, which is served apart.
    """

    expires_at: float | None = None
    user_id: str = ""
    workspace_id: str = ""
    email: str = ""
    plan: str = ""
    client_id: str = ""
    fedramp: bool = False


def read_claims(token: Secret | None) -> Claims:
    """The claims of a JWT; an opaque or broken token has none (sheet 1.4)."""
    payload = _payload(token.reveal()) if token is not None else None
    if payload is None:
        return Claims()
    auth, profile = _object(payload.get(_AUTH)), _object(payload.get(_PROFILE))
    return Claims(
        expires_at=_epoch(payload.get("exp")),
        user_id=_text(auth, "chatgpt_user_id") or _text(auth, "user_id") or _text(payload, "sub"),
        workspace_id=_text(auth, "chatgpt_account_id"),
        email=_text(payload, "email") or _text(profile, "email"),
        plan=_text(auth, "chatgpt_plan_type"),
        client_id=_text(payload, "client_id"),
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
    )


def is_jwt(token: Secret) -> bool:
    """Three parts, the second of which is an object."""
    return _payload(token.reveal()) is not None


def _payload(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST_TOKEN:
        return None
    middle = parts[1].rstrip("=")
    try:
        raw = base64.b64decode(middle + "=" * (-len(middle) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        return ""
    text = value[:_LONGEST_TEXT]
    return (text if text.isprintable() else "".join(filter(str.isprintable, text))).strip()


def _epoch(value: Any) -> float | None:
    """`exp` as a number, also where it came as text; None for what is no moment."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if math.isnan(number) or not 0 < number <= _LATEST_EPOCH:
        return None
    return number
