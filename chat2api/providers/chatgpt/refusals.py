"""Reads every refusal of the ChatGPT web backend: HTTP answers and errors inside a stream. Pure.

The one place that knows the spellings (sheet 5.11, 10.3, 10.4): `classify` makes of code, words and
status the error that says what they mean for the caller and for the account.
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
    ConversationNotFound,
    RequestError,
    UnknownModel,
    Unsupported,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamAuthUnclear,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from chat2api.providers.chatgpt import resets
from chat2api.providers.chatgpt.refusal_body import Body, Refusal, is_challenge, read_refusal

_BUSY_SECONDS = 60.0
_MODEL_CAP_SECONDS = 3600.0
_LONGEST_BUSY_SECONDS = 60.0

_MODEL_REFUSED = re.compile(
    r"\bmodel\b.*\b(?:not|no longer|unknown)\b|\b(?:unknown|no such|invalid) model\b"
)
_GPT = re.compile(r"\b(?:gpts?|gizmos?)\b(?![-.]?\d)")
_MODEL = re.compile(r"\bmodels?\b")
_PLAN = re.compile(r"\b(?:plans?|subscriptions?|subscribe|upgrade|features?)\b")
_COUNTRY = re.compile(r"\b(?:country|countries|territory)\b")
_NO_ROUTE = re.compile(r"(?:40[45] )?(?:(?:page )?not found|method not allowed)\.?")
_NO_ROUTE_CODES = frozenset({"", "not_found", "method_not_allowed"})
_SPEAKS_OF_CONVERSATION = re.compile(r"(?<![/\w])conversation\b(?![/?])", re.IGNORECASE)
_IMAGE_QUOTA_SIGNS = (
    "generating images too quickly",
    "rate_limit_exceeded",
    "estimated_wait_seconds",
)
_ESTIMATED_WAIT = re.compile(r"estimated_wait_seconds\W{1,4}(\d{1,9})")
_LONGEST_QUOTA_TEXT = 4000


class RouteMissing(UpstreamBadResponse):
    """A 404 or 405 that speaks of nothing in particular, so of the path that was asked for."""


def classify(
    status: int,
    content_type: str,
    headers: Mapping[str, str],
    body: Body,
    now: float,
) -> Chat2ApiError:
    """The error for an answer that is not what was asked for.

    `status` 200 stands for errors inside a stream and for answers of the wrong type. `now` is in epoch
    seconds. Codes weigh more than statuses, statuses more than words, except where a status is vague.
    """
    error = _classified(status, content_type, headers, body, now)
    error.upstream_status = status
    return error


def _classified(
    status: int, content_type: str, headers: Mapping[str, str], body: Body, now: float
) -> Chat2ApiError:
    if is_challenge(content_type, headers, body):
        return UpstreamChallenge("The upstream asks for a browser check, which is not solved here.")
    refusal = read_refusal(status, content_type, headers, body, now)
    make = _BY_CODE.get(refusal.code)
    if make is None and refusal.code.startswith("content_policy"):
        make = _policy
    if make is None and status < 500:
        make = _by_words(refusal)
    if make is None:
        make = _BY_STATUS.get(status, _bad_response)
    return make(refusal)


def image_quota(text: str, now: float) -> UpstreamRateLimited | None:
    """The error in a picture tool's reply that its quota is used up (sheet 5.11), or None."""
    if len(text) > _LONGEST_QUOTA_TEXT or not any(sign in text for sign in _IMAGE_QUOTA_SIGNS):
        return None
    estimate = _ESTIMATED_WAIT.search(text)
    if estimate is not None:
        wait: float | None = resets.seconds_in_body([{"clears_in": estimate[1]}], now)
    else:
        wait = resets.seconds_in_text(text)
    return UpstreamRateLimited(
        "The account's quota for pictures is used up.", retry_after=wait, per_model=True
    )


Make = Callable[[Refusal], Chat2ApiError]


def _by_words(refusal: Refusal) -> Make | None:
    words = refusal.message.lower()
    for sign, make in _BY_WORDS:
        if sign in words:
            return make
    if refusal.status in (400, 401, 403, 404) and _GPT.search(words):
        return _unknown_model
    if refusal.status in (400, 403, 404) and _MODEL_REFUSED.search(words):
        return _unknown_model
    return None


def _request(refusal: Refusal) -> Chat2ApiError:
    return RequestError(refusal.message or "The upstream refused the request as it stands.")


def _too_long(refusal: Refusal) -> Chat2ApiError:
    return ContextTooLong(refusal.message or "The conversation is too long for the upstream.")


def _policy(refusal: Refusal) -> Chat2ApiError:
    return ContentPolicyViolation(
        refusal.message or "The upstream refused the request for its content."
    )


def _auth_failed(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed("The upstream refused the account's credential.")


def _closed(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed("The upstream has closed this account.", code=ACCOUNT_CLOSED)


def _workspace_closed(_refusal: Refusal) -> Chat2ApiError:
    message = "The upstream has closed the account's workspace."
    return UpstreamAuthFailed(message, code=ACCOUNT_CLOSED)


def _workspace(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed("The upstream says that the account's workspace cannot be used.")


def _login_unclear(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthUnclear("The upstream answered as if the account were not logged in.")


def _denied(refusal: Refusal) -> Chat2ApiError:
    """Distrust: of where we come from, or of a proof that may be stale."""
    return UpstreamAccessDenied(refusal.message or "The upstream denied access from here.")


def _forbidden(refusal: Refusal) -> Chat2ApiError:
    """What is not distrust is about what was asked for: no account may suffer for one caller's wish."""
    words = refusal.message.lower()
    if refusal.is_page or not (refusal.code or words) or "workspace" in words:
        return _denied(refusal)
    if _COUNTRY.search(words):
        return _not_here(refusal)
    if _MODEL.search(words):
        return _unknown_model(refusal)
    if _PLAN.search(words):
        return Unsupported(refusal.message)
    return _not_here(refusal)


def _not_here(refusal: Refusal) -> Chat2ApiError:
    error = UpstreamAccessDenied(refusal.message or "The upstream does not allow this request.")
    error.another_account_helps = False
    error.blame = Blame.NONE
    return error


def _not_included(refusal: Refusal) -> Chat2ApiError:
    """This account's plan lacks it; another's may not."""
    error = UpstreamAccessDenied(refusal.message or "The account's plan does not include this.")
    error.blame = Blame.NONE
    return error


def _challenge(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamChallenge("The upstream asks for an interactive challenge for this account.")


def _unknown_model(refusal: Refusal) -> Chat2ApiError:
    return UnknownModel(refusal.message or "The upstream does not have this model for the account.")


def _no_conversation(refusal: Refusal) -> Chat2ApiError:
    return ConversationNotFound(refusal.message or "The upstream does not know the conversation.")


def _missing(refusal: Refusal) -> Chat2ApiError:
    """A conversation, or just the route: paths name conversations too."""
    if _SPEAKS_OF_CONVERSATION.search(refusal.message):
        return _no_conversation(refusal)
    return _no_route(refusal)


def _no_route(refusal: Refusal) -> Chat2ApiError:
    """Only what says nothing else is about the route: going to another one costs everybody an hour."""
    words = refusal.message.lower()
    says_nothing = refusal.code in _NO_ROUTE_CODES and (not words or _NO_ROUTE.fullmatch(words))
    if not says_nothing:
        return _bad_response(refusal)
    return RouteMissing(refusal.message or f"The upstream answered with status {refusal.status}.")


def _busy(refusal: Refusal) -> Chat2ApiError:
    """Another turn runs on the account; that is soon over, whatever a header says."""
    wait = min(refusal.reset_seconds or _BUSY_SECONDS, _LONGEST_BUSY_SECONDS)
    return UpstreamRateLimited("The account is busy with another message.", retry_after=wait)


def _limited(refusal: Refusal) -> Chat2ApiError:
    """A stated end belongs to the model asked for (fault matrix A09); without one, to the account."""
    return UpstreamRateLimited(
        refusal.message or "The account has reached a limit of the upstream.",
        retry_after=refusal.reset_seconds,
        per_model=refusal.reset_seconds is not None,
    )


def _model_limited(refusal: Refusal) -> Chat2ApiError:
    return UpstreamRateLimited(
        refusal.message or "The account has used up its messages to this model.",
        retry_after=refusal.reset_seconds or _MODEL_CAP_SECONDS,
        per_model=True,
    )


def _account_limited(refusal: Refusal) -> Chat2ApiError:
    return UpstreamRateLimited(
        refusal.message or "The account has used up its plan's limit.",
        retry_after=refusal.reset_seconds,
    )


def _timed_out(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamTimeout("The upstream gave up waiting.")


def _redirect(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamBadResponse("The upstream redirected, which is not followed.")


def _our_fault(refusal: Refusal) -> Chat2ApiError:
    """The upstream did not understand our body: no account will do better (decision 21)."""
    error = UpstreamBadResponse(refusal.message or "The upstream did not accept our request.")
    error.another_account_helps = False
    error.blame = Blame.NONE
    return error


def _bad_response(refusal: Refusal) -> Chat2ApiError:
    if refusal.status != 200:
        return UpstreamBadResponse(
            refusal.message or f"The upstream answered with status {refusal.status}."
        )
    return UpstreamBadResponse(
        refusal.message or "The upstream answered with something else than a stream."
    )


def _websocket(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamBadResponse(
        "The upstream wants to answer over a WebSocket, which this server does not follow."
    )


_BY_CODE: Mapping[str, Make] = {
    "message_length_exceeds_limit": _too_long,
    "input_too_large": _too_long,
    "conversation_too_large": _too_long,
    "context_length_exceeded": _too_long,
    "token_expired": _auth_failed,
    "invalid_jwt": _auth_failed,
    "token_invalidated": _auth_failed,
    "token_revoked": _auth_failed,
    "account_deactivated": _closed,
    "user_deleted": _closed,
    "deactivated_workspace": _workspace_closed,
    "model_cap_exceeded": _model_limited,
    "work_usage_limit_exceeded": _account_limited,
    "usage_limit_reached": _account_limited,
    "rate_limit_exceeded": _limited,
    "too_many_requests": _limited,
    "usage_not_included": _not_included,
    "unsupported_country": _not_here,
    "unsupported_country_region_territory": _not_here,
    "model_not_found": _unknown_model,
    "conversation_not_found": _no_conversation,
    "conversation_inaccessible": _no_conversation,
    "conversation_deleted": _no_conversation,
    "history_disabled_conversation_not_found": _no_conversation,
    "history_disabled_conversation_expired": _no_conversation,
    "turnstile_required": _challenge,
    "arkose_required": _challenge,
    "wss_url": _websocket,
}

# First hit wins. Only words that say one thing wherever they stand.
_BY_WORDS: tuple[tuple[str, Make], ...] = (
    ("unusual activity", _denied),
    ("unsupported country", _not_here),
    ("only one message at a time", _busy),
    ("could not parse your authentication token", _auth_failed),
    ("authentication token has been invalidated", _auth_failed),
    ("authentication token is expired", _auth_failed),
    ("signed out", _auth_failed),
    ("account has been deactivated", _closed),
    ("turnstile", _challenge),
    ("arkose", _challenge),
    ("content policy", _policy),
    ("usage policies", _policy),
    ("was too long", _too_long),
    ("is too long", _too_long),
    ("maximum context length", _too_long),
    ("too many requests", _limited),
    ("too many messages", _limited),
    ("rate limit", _limited),
    ("rate-limit", _limited),
    ("usage limit", _limited),
    ("usage cap", _limited),
)

_BY_STATUS: Mapping[int, Make] = {
    **dict.fromkeys((301, 302, 303, 307, 308), _redirect),
    400: _request,
    401: _login_unclear,
    402: _workspace,
    403: _forbidden,
    404: _missing,
    405: _no_route,
    408: _timed_out,
    409: _busy,
    413: _too_long,
    422: _our_fault,
    423: _busy,
    429: _limited,
}
