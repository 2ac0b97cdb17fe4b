"""What a token endpoint's answer to a refresh means: a grant, a refusal for good, or a failure for now. Pure.

Only codes that say that the login is over end an account; whatever may come from something on the way, or
from our own configuration, is a failure for now.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from chat2api.pool.claims import is_jwt, read_claims
from chat2api.pool.tokens import token_kind
from chat2api.pool.values import Grant
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret

LIMIT_BYTES = 256 * 1024
_LONGEST_TOKEN = 16_384
_CODE = re.compile(r"[A-Za-z]{2,20}(?:_[A-Za-z]{1,20}){0,5}")
_LONGEST_LIFE = 400 * 86_400.0

# Sheet 2.3.
_FOR_GOOD = frozenset(
    {
        "refresh_token_expired",
        "refresh_token_reused",
        "refresh_token_invalidated",
        "refresh_token_revoked",
        "invalid_grant",
        "access_denied",
        "token_invalidated",
        "token_expired",
        "token_revoked",
        "app_session_terminated",
        "account_session_expired",
        "account_deactivated",
        "account_suspended",
        "account_deleted",
    }
)
# These speak of our configuration and not of the login, also as 401.
_OURS = frozenset({"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope"})


def read_answer(status: int, body: bytes, now: float) -> Grant:
    """The grant of an answer. Raises RefreshRefused, RefreshFailed. `now` in epoch seconds."""
    document = _object(body)
    if status == 200:
        return _grant(document, now)
    code = code_of(document)
    if status in (400, 401, 403) and code in _FOR_GOOD:
        raise RefreshRefused(code)
    if status == 401 and document is not None and code not in _OURS:
        raise RefreshRefused(code or "refused (401)")
    raise RefreshFailed(f"the token endpoint answered {status}" + (f" ({code})" if code else ""))


def _grant(document: dict[str, Any] | None, now: float) -> Grant:
    if document is None:
        raise RefreshFailed("the token endpoint's answer is not JSON", after_dispatch=True)
    access, refresh = _token(document, "access_token"), _token(document, "refresh_token")
    if document.get("access_token") and (access is None or not is_jwt(access)):
        # Not the login server's answer, then: nothing else of it is believed either (C09).
        raise RefreshFailed("the token endpoint's access token is none", after_dispatch=True)
    if access is None and refresh is None:
        raise RefreshFailed("the token endpoint gave no access token", after_dispatch=True)
    return Grant(
        access_token=access,
        refresh_token=refresh,
        id_token=_token(document, "id_token"),
        expires_at=_expires_at(access, document.get("expires_in"), now),
    )


def _expires_at(access: Secret | None, expires_in: Any, now: float) -> float | None:
    """The token's own word, else what the answer says."""
    by_token = read_claims(access).expires_at
    if by_token is not None or isinstance(expires_in, bool):
        return by_token
    if isinstance(expires_in, int | float) and 0 < expires_in <= _LONGEST_LIFE:
        return now + expires_in
    return None


def _token(document: dict[str, Any], name: str) -> Secret | None:
    value = document.get(name)
    if not isinstance(value, str) or not 8 <= len(value) <= _LONGEST_TOKEN:
        return None
    return Secret(value) if value.isascii() and value.isprintable() and " " not in value else None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def code_of(document: dict[str, Any] | None) -> str:
    """`error.code`, `error` as a text, or `code` at the top; empty when there is none."""
    if document is None:
        return ""
    error = document.get("error")
    inner = error.get("code") or error.get("type") if isinstance(error, dict) else error
    for value in (inner, document.get("code"), document.get("error_code")):
        # What may be the token itself, sent back to us, is not shown.
        if isinstance(value, str) and _CODE.fullmatch(value) and token_kind(value) is None:
            return value.lower()
    return ""
