"""The words of the Messages API for what went wrong."""

from __future__ import annotations

import pytest

from chat2api.dialects.anthropic_errors import error_body, stream_error_body
from chat2api.errors import ContextTooLong, ErrorInfo, Unsupported


def info(status: int) -> ErrorInfo:
    return ErrorInfo(status, "some_error", "some_code", "It went wrong.", "some.param")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (409, "invalid_request_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_before_the_first_byte(status: int, kind: str) -> None:
    assert error_body(info(status), "req_1") == {
        "type": "error",
        "error": {"type": kind, "message": "It went wrong."},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "api_error"),
        (401, "api_error"),
        (429, "overloaded_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
    ],
)
def test_within_a_stream(status: int, kind: str) -> None:
    assert stream_error_body(info(status), "req_1")["error"]["type"] == kind


def test_the_official_client_learns_that_no_conversation_is_kept() -> None:
    told = error_body(Unsupported("Not kept.", param="thread").info, "req_1")["error"]
    assert told == {
        "type": "invalid_request_error",
        "message": "Not kept.",
        "details": {"error_code": "thread_unsupported_request"},
    }


def test_a_context_that_is_too_long_is_said_in_the_words_that_clients_know() -> None:
    told = error_body(ContextTooLong("9 tokens, 8 at most.").info, "req_1")["error"]
    assert told["type"] == "invalid_request_error"
    assert told["message"] == "prompt is too long: 9 tokens, 8 at most."
    again = error_body(ContextTooLong(told["message"]).info, "req_1")["error"]
    assert again["message"] == told["message"]
