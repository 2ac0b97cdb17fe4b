"""The error body that every OpenAI-shaped endpoint answers with, before and inside a stream."""

from __future__ import annotations

from typing import Any

from chat2api.errors import ErrorInfo


def error_body(info: ErrorInfo) -> dict[str, Any]:
    """`{"error": {...}}` with the four keys the official SDKs read; absent facts are null."""
    return {
        "error": {
            "message": info.message,
            "type": info.type,
            "param": info.param,
            "code": info.code,
        }
    }


def stream_error_body(info: ErrorInfo) -> dict[str, Any]:
    """The same for a failure after the first byte (fault matrix 0.3).

    The type is always `server_error`: the request was accepted, and agents try again on nothing else.
    """
    body = error_body(info)
    body["error"]["type"] = "server_error"
    return body
