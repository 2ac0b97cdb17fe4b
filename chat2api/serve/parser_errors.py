"""Requests that never reach the application: what the parser's complaint means on the wire. Pure.

Sentences are fixed: nothing of what the client sent is repeated to it.
"""

from __future__ import annotations

import json
from http import HTTPStatus

from gunicorn.http import errors as parser

from chat2api.errors import ErrorInfo

METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
REFUSED_METHODS = frozenset({"TRACE", "CONNECT"})

_INVALID = "invalid_request_error"
METHOD_NOT_ALLOWED = ErrorInfo(
    405, _INVALID, "method_not_allowed", "This method is not supported by any address here."
)
INTERNAL_ERROR = ErrorInfo(
    500,
    "server_error",
    "internal_error",
    "The server failed; its log has more under the request id.",
)
_BAD_REQUEST = "The request could not be read as HTTP/1.1."
_BY_KIND: tuple[tuple[type[Exception], ErrorInfo], ...] = (
    # What the application tried to send is its own fault, although the class says "invalid header".
    (parser.InvalidResponseHeader, INTERNAL_ERROR),
    (parser.InvalidResponseHeaderName, INTERNAL_ERROR),
    (parser.ConfigurationProblem, INTERNAL_ERROR),
    (
        parser.LimitRequestLine,
        ErrorInfo(414, _INVALID, "uri_too_long", "The request line is longer than 8190 bytes."),
    ),
    (
        parser.LimitRequestHeaders,
        ErrorInfo(
            431,
            _INVALID,
            "headers_too_large",
            "A header is longer than 8190 bytes, or there are more than 100 of them.",
        ),
    ),
    (
        parser.InvalidRequestMethod,
        ErrorInfo(400, _INVALID, "invalid_value", "The method is not written as HTTP requires."),
    ),
    (
        parser.InvalidHTTPVersion,
        ErrorInfo(400, _INVALID, "invalid_value", "The HTTP version is not supported."),
    ),
    (
        parser.UnsupportedTransferCoding,
        ErrorInfo(400, _INVALID, "invalid_value", "This Transfer-Encoding is not supported."),
    ),
    (
        parser.ExpectationFailed,
        ErrorInfo(400, _INVALID, "invalid_value", "This Expect header is not supported."),
    ),
    (
        parser.InvalidHeader,
        ErrorInfo(400, _INVALID, "invalid_value", "A header is malformed or contradicts another."),
    ),
    (
        parser.InvalidHeaderName,
        ErrorInfo(400, _INVALID, "invalid_value", "The name of a header is malformed."),
    ),
    (
        parser.ObsoleteFolding,
        ErrorInfo(400, _INVALID, "invalid_value", "A header goes on over a second line."),
    ),
    (
        parser.InvalidSchemeHeaders,
        ErrorInfo(400, _INVALID, "invalid_value", "Forwarding headers contradict each other."),
    ),
    (parser.ParseException, ErrorInfo(400, _INVALID, "invalid_value", _BAD_REQUEST)),
)


def refusal(error: BaseException) -> ErrorInfo:
    """What to answer when reading or handling a request ended in `error`."""
    if _is_connect(error):
        return METHOD_NOT_ALLOWED
    return next((info for kind, info in _BY_KIND if isinstance(error, kind)), INTERNAL_ERROR)


def _is_connect(error: BaseException) -> bool:
    line = getattr(error, "req", None) if isinstance(error, parser.InvalidRequestLine) else None
    return isinstance(line, str) and line.startswith("CONNECT ")


def draw(info: ErrorInfo, request_id: str) -> bytes:
    """The whole HTTP answer; the connection is to be closed after it."""
    error = {"message": info.message, "type": info.type, "param": info.param, "code": info.code}
    body = json.dumps({"error": error}).encode()
    head = [
        f"HTTP/1.1 {info.status} {HTTPStatus(info.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"x-request-id: {request_id}",
        *([f"Allow: {METHODS}"] if info.status == HTTPStatus.METHOD_NOT_ALLOWED else []),
        "Connection: close",
        "\r\n",
    ]
    return "\r\n".join(head).encode("ascii") + body
