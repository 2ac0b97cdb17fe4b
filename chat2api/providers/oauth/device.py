"""Logging in with a device code: the person enters it on another screen, and we ask whether they did.

The login server hands the authorization code *and* its verifier to whoever polls (sheet 2.5). Spellings
differ between versions of it, so reading is tolerant; what is shown to a person is checked.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from chat2api.providers.oauth.signing_in import (
    Answer,
    CodeInHand,
    NotOffered,
    SignInFailed,
    SignInOptions,
    SignInRefused,
    ask_json,
    plain_text,
)
from chat2api.providers.protocol import Io
from chat2api.secret import Secret

_USERCODE_PATH = "/api/accounts/deviceauth/usercode"
_POLL_PATH = "/api/accounts/deviceauth/token"
_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,30}", re.IGNORECASE)
_LASTS_SECONDS = 900.0
_LONGEST_SECONDS = 3600.0
_INTERVAL_SECONDS = 5.0
_SHORTEST_INTERVAL, _LONGEST_INTERVAL = 1.0, 60.0
SLOWER_SECONDS = 5.0
_NOT_YET = frozenset({"authorization_pending", "slow_down"})

Waiting = Literal["pending", "slow_down"]


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a login begins with. `expires_at` in epoch seconds."""

    user_code: str
    device_auth_id: Secret
    interval_seconds: float
    expires_at: float


def device_page(options: SignInOptions) -> str:
    """Where the person enters the code."""
    return options.issuer + "/codex/device"


def begin(options: SignInOptions, io: Io, now: float) -> DeviceCode:
    """Raises NotOffered, SignInRefused, SignInFailed."""
    answer = ask_json(options, _USERCODE_PATH, {"client_id": options.client_id}, io)
    if answer.status == 404:
        raise NotOffered
    if answer.status >= 300:
        raise SignInFailed(answer.story) if answer.is_for_now else SignInRefused(answer.story)
    found = answer.document or {}
    user_code = plain_text(found.get("user_code") or found.get("usercode"))
    device_auth_id = plain_text(found.get("device_auth_id"))
    if not _CODE.fullmatch(user_code) or not device_auth_id:
        raise SignInFailed("the login server's answer holds no code")
    return DeviceCode(
        user_code, Secret(device_auth_id), _interval(found.get("interval")), _end(found, now)
    )


def poll(
    options: SignInOptions, device_auth_id: Secret, user_code: str, io: Io
) -> CodeInHand | Waiting:
    """Whether the person did it yet. Raises SignInRefused, SignInFailed."""
    fields = {"device_auth_id": device_auth_id.reveal(), "user_code": user_code}
    answer = ask_json(options, _POLL_PATH, fields, io)
    if answer.status < 300:
        return _granted(options, answer)
    if answer.code == "slow_down" or answer.status == 429:
        return "slow_down"
    if answer.status in (403, 404) or answer.code in _NOT_YET:
        return "pending"
    if answer.is_for_now:
        raise SignInFailed(answer.story)
    raise SignInRefused(answer.code or answer.story)


def _granted(options: SignInOptions, answer: Answer) -> CodeInHand:
    found = answer.document or {}
    code, verifier = (
        plain_text(found.get(name)) for name in ("authorization_code", "code_verifier")
    )
    if not code or not verifier:
        raise SignInFailed("the login server's answer holds no authorization code")
    return CodeInHand(Secret(code), Secret(verifier), options.issuer + "/deviceauth/callback")


# --- numbers, however they are written


def _interval(value: Any) -> float:
    seconds = _number(value)
    if seconds is None or seconds <= 0:
        return _INTERVAL_SECONDS
    return min(max(seconds, _SHORTEST_INTERVAL), _LONGEST_INTERVAL)


def _end(found: Mapping[str, Any], now: float) -> float:
    """When the code ends: as said, within reason; else in fifteen minutes."""
    lasts = _number(found.get("expires_in"))
    if lasts is None:
        at = _moment(found.get("expires_at"))
        lasts = None if at is None else at - now
    if lasts is None or lasts <= 0:
        lasts = _LASTS_SECONDS
    return now + min(lasts, _LONGEST_SECONDS)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _moment(value: Any) -> float | None:
    """Epoch seconds, or an ISO 8601 text."""
    number = _number(value)
    if number is not None or not isinstance(value, str):
        return number
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
