"""Errors as the Messages API tells them, before and inside a stream."""

from __future__ import annotations

from typing import Any

from chat2api.errors import ErrorInfo

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}

THREAD = "thread"
"""A parameter that is refused in words by which the official client learns to do without."""

_TOO_LONG = "prompt is too long"
"""Begins the message by which clients know that the context has to become shorter."""


def error_body(info: ErrorInfo, request_id: str) -> dict[str, Any]:
    """`{"type": "error", "error": {...}, "request_id": ...}`."""
    other = "api_error" if info.status >= 500 else "invalid_request_error"
    body = _body(_TYPES.get(info.status, other), _message(info), request_id)
    if info.param == THREAD:
        body["error"]["details"] = {"error_code": "thread_unsupported_request"}
    return body


def stream_error_body(info: ErrorInfo, request_id: str) -> dict[str, Any]:
    """The same for a failure after the first byte (fault matrix 0.3): the request was accepted."""
    is_busy = info.status in (429, 503, 529)
    return _body("overloaded_error" if is_busy else "api_error", _message(info), request_id)


def _message(info: ErrorInfo) -> str:
    if info.code == "context_length_exceeded" and not info.message.startswith(_TOO_LONG):
        return f"{_TOO_LONG}: {info.message}"
    return info.message


def _body(kind: str, message: str, request_id: str) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id,
    }
