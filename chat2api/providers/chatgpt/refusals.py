"""Reads every refusal of the ChatGPT web backend: HTTP answers and errors inside a stream. Pure.

The one place that knows the spellings (sheet 5.11, 10.3, 10.4). `read_refusal` finds code, message and
reset time in a body of any shape; `classify` makes of them the error that says what it means for the
caller and for the account.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat2api.errors import (
    Blame,
    Chat2ApiError,
    ContentPolicyViolation,
    ContextTooLong,
    ConversationNotFound,
    RequestError,
    UnknownModel,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from chat2api.providers.chatgpt import resets

_BUSY_SECONDS = 60.0
_MODEL_CAP_SECONDS = 3600.0
_LONGEST_MESSAGE = 500
_LONGEST_BUSY_SECONDS = 60.0

_CHALLENGE_SIGNS = ("just a moment", "cf_chl_opt", "cf-please-wait", "challenge-platform")
_CODE_SHAPE = re.compile(r"[a-z][a-z0-9]*(?:[_.-][a-z0-9]+)+\Z", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"\b(?:eyJ|gAAAAA|sk-|sess-|rt_|fk-)[\w.~+/=-]{8,}")
_MODEL_REFUSED = re.compile(
    r"\bmodel\b.*\b(?:not|no longer|unknown)\b|\b(?:unknown|no such|invalid) model\b"
)
_SPEAKS_OF_CONVERSATION = re.compile(r"(?<![/\w])conversation\b(?![/?])", re.IGNORECASE)
_IMAGE_QUOTA_SIGNS = (
    "generating images too quickly",
    "rate_limit_exceeded",
    "estimated_wait_seconds",
)
_ESTIMATED_WAIT = re.compile(r"estimated_wait_seconds\W{1,4}(\d{1,9})")
_LONGEST_QUOTA_TEXT = 4000


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal says. Empty strings where it says nothing; `reset_seconds` from now.

    `code` is in lower case. `message` is plain text that may be shown: no page, no token, not long.
    """

    status: int
    code: str
    message: str
    reset_seconds: float | None
    is_page: bool
    is_empty: bool


def classify(
    status: int,
    content_type: str,
    headers: Mapping[str, str],
    body: bytes | str | Mapping[str, Any],
    now: float,
) -> Chat2ApiError:
    """The error for an answer that is not what was asked for.

    `status` 200 stands for errors inside a stream and for answers of the wrong type. `now` is in epoch
    seconds. Codes weigh more than statuses, statuses more than words, except where a status is vague.
    """
    if _is_challenge(content_type, headers, body):
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


def read_refusal(
    status: int,
    content_type: str,
    headers: Mapping[str, str],
    body: bytes | str | Mapping[str, Any],
    now: float,
) -> Refusal:
    """Code, message and reset time from any shape of sheet 10.4: JSON of many kinds, text, a page, nothing."""
    document = _parse(body)
    is_page = document is None and _is_page(content_type, body)
    if isinstance(document, Mapping):
        parts = list(_parts(document))
        code = "wss_url" if "wss_url" in document else _code(parts)
        message = _message(parts)
    elif is_page or document is None:
        parts, code, message = [], "", "" if is_page else _as_text(body)
    else:
        parts, code, message = [], "", document if isinstance(document, str) else ""
    if not code and _CODE_SHAPE.match(message):
        code, message = message, ""
    reset = resets.seconds_in_body(parts, now)
    if reset is None:
        reset = resets.seconds_in_header(_header(headers, "retry-after"), now)
    if reset is None:
        reset = resets.seconds_in_text(message)
    return Refusal(status, code.lower(), _plain(message), reset, is_page, not body)


# --- reading -------------------------------------------------------------------------------------


def _parse(body: bytes | str | Mapping[str, Any]) -> Any:
    if isinstance(body, Mapping):
        return body
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return {} if document is None else document


def _as_text(body: bytes | str | Mapping[str, Any]) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return body if isinstance(body, str) else ""


def _is_page(content_type: str, body: bytes | str | Mapping[str, Any]) -> bool:
    return "html" in content_type.lower() or _as_text(body).lstrip().startswith("<")


def _is_challenge(
    content_type: str, headers: Mapping[str, str], body: bytes | str | Mapping[str, Any]
) -> bool:
    if _header(headers, "cf-mitigated") == "challenge":
        return True
    if isinstance(body, Mapping) or not _is_page(content_type, body):
        return False
    page = _as_text(body).lower()
    return any(sign in page for sign in _CHALLENGE_SIGNS)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _parts(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects that may hold the story, the innermost first."""
    for name in ("error", "detail"):
        inner = document.get(name)
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if isinstance(inner, Mapping):
            yield inner
    yield document


def _code(parts: list[Mapping[str, Any]]) -> str:
    for name in ("code", "error_code", "type"):
        for part in parts:
            value = part.get(name)
            # The standard types name a family and not a reason.
            if isinstance(value, str) and value and not value.endswith("_error"):
                return value
    return ""


def _message(parts: list[Mapping[str, Any]]) -> str:
    for part in parts:
        for name in ("message", "msg", "detail", "error_description", "error", "error_message"):
            value = part.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def _plain(message: str) -> str:
    """One line of text that may be shown to the caller."""
    if "<" in message and re.search(r"<(?:!doctype|html|head|body|script|div)\b", message, re.I):
        return ""
    line = " ".join(_SECRET_SHAPE.sub("***", message[: 2 * _LONGEST_MESSAGE]).split())
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


# --- meaning -------------------------------------------------------------------------------------

Make = Callable[[Refusal], Chat2ApiError]


def _by_words(refusal: Refusal) -> Make | None:
    words = refusal.message.lower()
    for sign, make in _BY_WORDS:
        if sign in words:
            return make
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


def _workspace(_refusal: Refusal) -> Chat2ApiError:
    return UpstreamAuthFailed("The upstream says that the account's workspace cannot be used.")


def _denied(refusal: Refusal) -> Chat2ApiError:
    return UpstreamAccessDenied(refusal.message or "The upstream denied access from here.")


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
    return _bad_response(refusal)


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
    "account_deactivated": _auth_failed,
    "user_deleted": _auth_failed,
    "deactivated_workspace": _workspace,
    "model_cap_exceeded": _model_limited,
    "work_usage_limit_exceeded": _account_limited,
    "usage_limit_reached": _account_limited,
    "rate_limit_exceeded": _limited,
    "too_many_requests": _limited,
    "usage_not_included": _denied,
    "unsupported_country": _denied,
    "unsupported_country_region_territory": _denied,
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
    ("unsupported country", _denied),
    ("only one message at a time", _busy),
    ("could not parse your authentication token", _auth_failed),
    ("authentication token has been invalidated", _auth_failed),
    ("authentication token is expired", _auth_failed),
    ("signed out", _auth_failed),
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
    401: _auth_failed,
    402: _workspace,
    403: _denied,
    404: _missing,
    408: _timed_out,
    409: _busy,
    413: _too_long,
    422: _our_fault,
    423: _busy,
    429: _limited,
}
