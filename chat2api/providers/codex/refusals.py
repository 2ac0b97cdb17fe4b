"""Reads the refusals of the Codex backend: HTTP answers and failures inside a stream. Pure.

`classify` makes of code, words and status the error that says what they mean for the caller and for the
account. What concerns the request is told as the upstream said it; what concerns the account is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from chat2api.errors import (
    ACCOUNT_CLOSED,
    Blame,
    Chat2ApiError,
    ContentPolicyViolation,
    ContextTooLong,
    RequestError,
    TooLarge,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamAuthUnclear,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from chat2api.providers.chatgpt.refusal_body import Body, Refusal, is_challenge, read_refusal
from chat2api.providers.chatgpt.resets import DAY, SHORTEST
from chat2api.providers.codex.limits import read_headers

SEAL_REFUSED = "invalid_encrypted_content"
"""The code of a RequestError that is about reasoning of earlier turns."""

_NOT_INCLUDED_SECONDS = DAY
_MILLISECONDS = re.compile(r"\bin \d{1,6}(?:\.\d{1,6})?\s?ms\b", re.IGNORECASE)
_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_POLICY = re.compile(r"(?:\w+_policy|content_policy\w*|content_filter|moderation_blocked)")
_DEACTIVATED = re.compile(r"\b(?:account|user|workspace)\b.{0,60}\bdeactivated\b")


def classify(status: int, headers: Mapping[str, str], body: Body, now: float) -> Chat2ApiError:
    """The error for an answer that is not what was asked for. `now` in epoch seconds.

    `status` 200 stands for a failure inside a stream. Codes weigh more than words, words more than statuses.
    """
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if is_challenge(kind, headers, body):
        error: Chat2ApiError = UpstreamChallenge(
            "The upstream asks for a browser check, which is not solved here."
        )
    else:
        refusal = read_refusal(status, kind, headers, body, now)
        error = _make(refusal)(refusal)
    if isinstance(error, UpstreamRateLimited) and error.retry_after is None:
        error.retry_after = _told_by_headers(headers, now)
    error.upstream_status = status
    return error


def _told_by_headers(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the last of the used-up windows begins anew."""
    allowance = read_headers(headers, now)
    ends = allowance.blocked(now).values() if allowance is not None else ()
    return max((end - now for end in ends), default=None)


Make = Callable[[Refusal], Chat2ApiError]


def _make(refusal: Refusal) -> Make:
    make = _BY_CODE.get(refusal.code)
    if make is None and _POLICY.fullmatch(refusal.code):
        make = _policy
    if make is None and refusal.status < 500:
        words = refusal.message.lower()
        make = next((make for sign, make in _BY_WORDS if sign in words), None)
        if make is None and _DEACTIVATED.search(words):
            make = _closed
    return make or _BY_STATUS.get(refusal.status, _bad_response)


# --- about the request


def _request(refusal: Refusal) -> Chat2ApiError:
    error = RequestError(refusal.message or "The upstream refused the request as it stands.")
    if refusal.code != "error" and _CODE.fullmatch(refusal.code):
        error.code = refusal.code
    return error


def _too_long(refusal: Refusal) -> Chat2ApiError:
    return ContextTooLong(refusal.message or "The conversation is too long for this model.")


def _too_large(refusal: Refusal) -> Chat2ApiError:
    return TooLarge(refusal.message or "The request is too large for the upstream.")


def _policy(refusal: Refusal) -> Chat2ApiError:
    return ContentPolicyViolation(
        refusal.message or "The upstream refused the request for its content."
    )


def _no_model(refusal: Refusal) -> Chat2ApiError:
    """This account's plan lacks the model; another's may not. Told as any unknown model in the end."""
    error = UpstreamBadResponse(
        refusal.message or "The upstream does not have this model for the account.",
        status=404,
        code="model_not_found",
    )
    error.type = RequestError.type
    error.blame = Blame.NONE
    return error


# --- about the account


def _auth_failed(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed("The upstream refused the account's credential.")


def _auth_unclear(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthUnclear("The upstream answered as if the account were not logged in.")


def _closed(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed(
        "The upstream has closed this account, or its workspace.", code=ACCOUNT_CLOSED
    )


def _limited(refusal: Refusal) -> Chat2ApiError:
    wait = refusal.reset_seconds
    if wait is None and _MILLISECONDS.search(refusal.message):
        wait = SHORTEST
    return UpstreamRateLimited(
        "The account takes no more requests for now.", retry_after=wait, per_model=True
    )


def _used_up(refusal: Refusal) -> Chat2ApiError:
    return UpstreamRateLimited(
        "The account has used up its allowance.",
        retry_after=refusal.reset_seconds,
        per_model=True,
    )


def _not_included(refusal: Refusal) -> Chat2ApiError:
    """Nothing that waiting mends; but plans change."""
    return UpstreamRateLimited(
        "The account's plan does not include this.",
        retry_after=refusal.reset_seconds or _NOT_INCLUDED_SECONDS,
        per_model=True,
    )


def _denied(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAccessDenied("The upstream denied access to this account from here.")


def _not_here(_refusal: Refusal) -> Chat2ApiError:
    error = UpstreamAccessDenied("The upstream does not serve the country that we come from.")
    error.another_account_helps = False
    error.blame = Blame.NONE
    return error


# --- about the upstream


def _overloaded(refusal: Refusal) -> Chat2ApiError:
    error = UpstreamBadResponse(
        "The upstream is overloaded.", status=503, retry_after=refusal.reset_seconds
    )
    error.blame = Blame.NONE
    return error


def _bad_response(refusal: Refusal) -> Chat2ApiError:
    if refusal.message:
        return UpstreamBadResponse(f"The upstream failed: {refusal.message}")
    if refusal.status == 200:
        return UpstreamBadResponse("The upstream broke its answer off.")
    return UpstreamBadResponse(f"The upstream answered with status {refusal.status}.")


def _missing(refusal: Refusal) -> Chat2ApiError:
    """An edge that blocks a path answers with nothing; it means neither the account nor the model."""
    error = UpstreamBadResponse(refusal.message or "The upstream does not know what was asked for.")
    error.blame = Blame.NONE
    return error


def _timed_out(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamTimeout("The upstream gave up waiting.")


def _redirect(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamBadResponse("The upstream redirected, which is not followed.")


_BY_CODE: Mapping[str, Make] = {
    "context_length_exceeded": _too_long,
    "message_length_exceeds_limit": _too_long,
    "string_above_max_length": _too_long,
    "invalid_prompt": _request,
    "unsupported_value": _request,
    "unsupported_parameter": _request,
    SEAL_REFUSED: _request,
    "model_not_found": _no_model,
    "token_expired": _auth_failed,
    "token_invalidated": _auth_failed,
    "token_revoked": _auth_failed,
    "invalid_jwt": _auth_failed,
    "account_deactivated": _closed,
    "account_suspended": _closed,
    "account_deleted": _closed,
    "user_deleted": _closed,
    "deactivated_workspace": _closed,
    "usage_limit_reached": _used_up,
    "insufficient_quota": _used_up,
    "quota_exceeded": _used_up,
    "billing_hard_limit_reached": _used_up,
    "usage_not_included": _not_included,
    "rate_limit_exceeded": _limited,
    "too_many_requests": _limited,
    "unsupported_country": _not_here,
    "unsupported_country_region_territory": _not_here,
    "server_is_overloaded": _overloaded,
    "slow_down": _overloaded,
}

# First hit wins. Only words that say one thing wherever they stand.
_BY_WORDS: tuple[tuple[str, Make], ...] = (
    ("model is not supported when using codex", _no_model),
    ("selected model is at capacity", _overloaded),
    ("could not parse your authentication token", _auth_failed),
    ("authentication token has been invalidated", _auth_failed),
    ("authentication token is expired", _auth_failed),
    ("the usage limit has been reached", _used_up),
    ("exceeds the context window", _too_long),
    ("maximum context length", _too_long),
)

_BY_STATUS: Mapping[int, Make] = {
    **dict.fromkeys((301, 302, 303, 307, 308), _redirect),
    400: _request,
    401: _auth_unclear,
    402: _not_included,
    403: _denied,
    404: _missing,
    405: _missing,
    408: _timed_out,
    409: _limited,
    413: _too_large,
    415: _request,
    422: _request,
    429: _limited,
    503: _overloaded,
    504: _timed_out,
}
