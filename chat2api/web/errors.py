"""The one place where a failure becomes an HTTP answer."""

from __future__ import annotations

import logging
import math

import werkzeug.exceptions
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from chat2api.errors import (
    Chat2ApiError,
    ErrorInfo,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RequestError,
    RequestTimeout,
    TooLarge,
    UriTooLong,
)
from chat2api.web.json import json_response
from chat2api.web.state import state

log = logging.getLogger(__name__)

# Seconds, where nobody knows better: callers wait a little before they try again (fault matrix 0.2).
_RETRY_AFTER = {429: 30.0, 502: 2.0, 503: 5.0, 504: 2.0}


def register_errors(app: Flask) -> None:
    app.register_error_handler(Chat2ApiError, _expected)
    app.register_error_handler(HTTPException, refusal_of)
    app.register_error_handler(Exception, _unforeseen)


def error_response(info: ErrorInfo) -> Response:
    recording = state().recording
    if recording is not None:
        recording.told = info
    response = json_response(state().dialect.render_error(info), info.status)
    wait = info.retry_after if info.retry_after is not None else _RETRY_AFTER.get(info.status)
    if wait is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return response


def _expected(error: Chat2ApiError) -> Response:
    return error_response(error.info)


def refusal_of(error: HTTPException) -> Response:
    """Flask's and Werkzeug's own refusals as our JSON."""
    response = error_response(translated(error).info)
    if isinstance(error, werkzeug.exceptions.MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def translated(error: HTTPException) -> Chat2ApiError:
    """Flask's and Werkzeug's own refusals in our words."""
    match error.code:
        case 404:
            return NotFound(_not_found_message(request.path))
        case 405:
            return MethodNotAllowed(f"{request.method[:16]} is not allowed here.")
        case 408:
            return RequestTimeout("The request body did not arrive in time.")
        case 413:
            return TooLarge("The request body is too large.")
        case 414:
            return UriTooLong("The address is too long.")
        case int(code) if 400 <= code < 500:
            return RequestError("The request could not be understood.", status=code)
        case _:
            return InternalError("Internal error.")


def _not_found_message(path: str) -> str:
    if "//" in path:
        return "Unknown path: it holds a double slash. The API is under /v1/."
    if not path.strip("/").startswith("v1"):
        return "Unknown path. The API is under /v1/; set the base URL to end in /v1."
    if path.strip("/").startswith("v1/v1/"):  # a client that adds /v1 itself, as Anthropic's do
        return "Unknown path: /v1 stands in it twice. Set this client's base URL without /v1."
    return "Unknown path."


def _unforeseen(error: Exception) -> Response:
    log.exception("unforeseen error")
    return error_response(
        InternalError("Internal error; the log has it under this request id.").info
    )
