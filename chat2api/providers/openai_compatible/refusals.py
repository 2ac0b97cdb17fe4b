"""Reads the refusals of OpenAI-compatible servers: HTTP answers and errors inside a stream. Pure.

What concerns the caller's request is told as the upstream said it; what concerns the operator's key or
address is told without it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from chat2api.errors import (
    Chat2ApiError,
    ContentPolicyViolation,
    ContextTooLong,
    RequestError,
    TooLarge,
    UnknownModel,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamChallenge,
    UpstreamRateLimited,
    UpstreamTimeout,
)

_LONGEST_MESSAGE = 500
_LONGEST_PARAM = 100
_SHORTEST_WAIT = 1.0
_LONGEST_WAIT = 24 * 3600.0
_SHORTEST_SECRET = 6

_SECRET_SHAPE = re.compile(r"\b(?:eyJ|sk-|sess-|gsk_|xai-|AIza|hf_|r8_)[\w.~+/=*-]{4,}")
_ADDRESS = re.compile(r"\bhttps?://[^\s\"'<>)]+")
_CODE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum (?:context|input|prompt)|too many (?:input )?tokens"
    r"|\b(?:prompt|input|message|conversation|text)\b.{0,60}\btoo long\b"
    r"|exceeds? the (?:model|available|max)"
)
_MODEL_MISSING = re.compile(
    r"\bmodel\b.{0,200}\b(?:not found|not exist|does ?n[o']t exist|not available|not supported|unknown"
    r"|invalid|no longer)\b|\b(?:unknown|no such|invalid|unsupported) model\b"
    r"|not a valid model",
    re.DOTALL,
)
_BAD_KEY = re.compile(
    r"api[ _-]?key\b.{0,80}\b(?:invalid|incorrect|not valid|expired|missing)\b"
    r"|\b(?:invalid|incorrect|missing|no)\b.{0,20}\bapi[ _-]?key\b",
    re.DOTALL,
)
_CHALLENGE_SIGNS = (b"just a moment", b"cf_chl_opt", b"challenge-platform")
_WAIT_IN_TEXT = re.compile(r"\btry again in (\d{1,6}(?:\.\d{1,9})?)\s?(ms|s|m)\b")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0}

Body = bytes | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whose refusals are read: its `name` may be told, what is `hidden` (key, host) never."""

    name: str
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What it says. Empty where it says nothing; `wait` in seconds from now."""

    upstream: Upstream
    status: int
    code: str
    message: str
    param: str | None
    wait: float | None

    @property
    def words(self) -> str:
        return self.message.lower()

    def told(self, otherwise: str) -> str:
        return self.message or otherwise


def classify(
    upstream: Upstream, status: int, headers: Mapping[str, str], body: Body, now: float
) -> Chat2ApiError:
    """The error for an answer that is not what was asked for. `now` in epoch seconds.

    `status` 200 stands for an error inside a stream; its own status counts, where it has one.
    """
    if _is_challenge(headers, body):
        found: Chat2ApiError = UpstreamChallenge(
            f"The upstream {upstream.name} asks for a browser check, which is not solved here."
        )
    else:
        refusal = _read(upstream, status, headers, body, now)
        found = _by_code(refusal) or _by_status(refusal)
    found.upstream_status = status
    return found


def _by_code(refusal: _Refusal) -> Chat2ApiError | None:
    """Codes and words weigh more than statuses, except where the status is the upstream's own trouble."""
    code, words = refusal.code, refusal.words
    if code in ("insufficient_quota", "billing_hard_limit_reached") or refusal.status == 402:
        return _limited(refusal, f"The credit of the upstream {refusal.upstream.name} is used up.")
    if code == "invalid_api_key" or (refusal.status == 400 and _BAD_KEY.search(words)):
        return _key_refused(refusal)
    if refusal.status >= 500 or refusal.status in (401, 408, 409, 429):
        return None
    if "context_length" in code or "length_exceeds" in code:
        return ContextTooLong(refusal.told("The conversation is too long for this model."))
    if code.startswith("content_policy") or code in ("content_filter", "moderation_blocked"):
        return ContentPolicyViolation(refusal.told("The upstream refuses this content."))
    if code in ("model_not_found", "deploymentnotfound"):
        return _unknown_model(refusal)
    if refusal.status in (200, 400, 413, 422) and _TOO_LONG.search(words):
        return ContextTooLong(refusal.told(""))
    if refusal.status in (400, 404, 422) and _MODEL_MISSING.search(words):
        return _unknown_model(refusal)
    return None


def _by_status(refusal: _Refusal) -> Chat2ApiError:
    name, status = refusal.upstream.name, refusal.status
    match status:
        case 400 | 422:
            return _request_error(refusal)
        case 401:
            return _key_refused(refusal)
        case 403:
            return UpstreamAccessDenied(f"The upstream {name} denied access to what was asked for.")
        case 404 | 405:
            return UpstreamBadResponse(
                f"The upstream {name} does not know what was asked for; check its base_url."
            )
        case 408 | 504:
            return UpstreamTimeout(f"The upstream {name} did not answer in time.")
        case 409 | 429:
            return _limited(refusal, f"The upstream {name} takes no more requests for now.")
        case 413:
            return TooLarge(refusal.told("The request is too large for the upstream."))
        case 415:
            return _request_error(refusal)
    if 300 <= status < 400:
        return UpstreamBadResponse(f"The upstream {name} sent a redirect, which is not followed.")
    if status < 300:
        return UpstreamBadResponse(f"The upstream {name} broke its answer off" + _because(refusal))
    return UpstreamBadResponse(
        f"The upstream {name} answered with status {status}" + _because(refusal),
        retry_after=refusal.wait,
    )


def _because(refusal: _Refusal) -> str:
    return f": {refusal.message}" if refusal.message else "."


def _request_error(refusal: _Refusal) -> Chat2ApiError:
    error = RequestError(refusal.told("The upstream refused the request."), param=refusal.param)
    if _CODE.fullmatch(refusal.code):
        error.code = refusal.code
    return error


def _key_refused(refusal: _Refusal) -> Chat2ApiError:
    # Its own words may repeat a part of the key.
    return UpstreamAuthFailed(f"The upstream {refusal.upstream.name} refused the key set for it.")


def _unknown_model(refusal: _Refusal) -> Chat2ApiError:
    return UnknownModel(refusal.told("The upstream does not have this model."))


def _limited(refusal: _Refusal, message: str) -> Chat2ApiError:
    return UpstreamRateLimited(message, retry_after=refusal.wait)


# --- reading


def _read(
    upstream: Upstream, status: int, headers: Mapping[str, str], body: Body, now: float
) -> _Refusal:
    document = _parse(body)
    told = _story(document)
    code = told.get("code")
    # Some put the status where the code belongs, and some the code where the kind does.
    if status == 200 and isinstance(code, int | str) and str(code).isdecimal():
        inner = int(code)
        status = inner if 400 <= inner < 600 else status
    if not isinstance(code, str) or code.isdecimal():
        code = told.get("type")
    message = told.get("message") or told.get("detail")
    param = told.get("param")
    text = _plain(message if isinstance(message, str) else "", upstream.hidden)
    return _Refusal(
        upstream,
        status,
        code.lower() if isinstance(code, str) else "",
        text,
        (_plain(param, upstream.hidden)[:_LONGEST_PARAM] or None)
        if isinstance(param, str)
        else None,
        _wait(headers, text, now),
    )


def _parse(body: Body) -> Any:
    if not isinstance(body, bytes):
        return body
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _story(document: Any) -> Mapping[str, Any]:
    """The object that tells what is wrong, out of the shapes that are met."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, Mapping):
        return {}
    for name in ("error", "detail"):
        inner = document.get(name)
        if isinstance(inner, list) and inner:
            inner = inner[0]
            if isinstance(inner, Mapping) and "msg" in inner:  # as FastAPI validates
                where = inner.get("loc")
                param = ".".join(map(str, where[1:])) if isinstance(where, list) else None
                return {"message": inner["msg"], "param": param}
        if isinstance(inner, Mapping):
            return inner
        if isinstance(inner, str):
            return {**document, "message": inner}
    return document


def _plain(text: str, hidden: tuple[str, ...]) -> str:
    """One line that may be shown: no page, no address, nothing hidden, not long."""
    if text.lstrip().startswith("<"):
        return ""
    for secret in hidden:
        if len(secret) >= _SHORTEST_SECRET or "." in secret:
            text = text.replace(secret, "***")
    text = _ADDRESS.sub("***", _SECRET_SHAPE.sub("***", text))
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _is_challenge(headers: Mapping[str, str], body: Body) -> bool:
    if _header(headers, "cf-mitigated") == "challenge":
        return True
    if not isinstance(body, bytes) or not body.lstrip().startswith(b"<"):
        return False
    page = body.lower()
    return any(sign in page for sign in _CHALLENGE_SIGNS)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _wait(headers: Mapping[str, str], message: str, now: float) -> float | None:
    """Seconds until it may be tried again, within reason; None where nobody says."""
    said = _header(headers, "retry-after-ms")
    seconds = _number(said, 0.001)
    if seconds is None:
        said = _header(headers, "retry-after")
        seconds = _number(said, 1.0)
        if seconds is None and said is not None:
            seconds = _until(said, now)
    if seconds is None and (found := _WAIT_IN_TEXT.search(message)) is not None:
        seconds = float(found[1]) * _UNIT[found[2]]
    return None if seconds is None else min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)


def _number(text: str | None, unit: float) -> float | None:
    try:
        number = float(text or "") * unit
    except ValueError:
        return None
    return number if number == number else None


def _until(text: str, now: float) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
