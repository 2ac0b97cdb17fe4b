"""The error body, before and inside a stream."""

from __future__ import annotations

from chat2api.dialects.errors import error_body, stream_error_body
from chat2api.errors import ErrorInfo

INFO = ErrorInfo(400, "invalid_request_error", "invalid_value", "Say n.", "n", 5.0)
BARE = ErrorInfo(500, "server_error", None, "Oh.")


def test_the_body_has_exactly_four_keys() -> None:
    assert error_body(INFO) == {
        "error": {
            "message": "Say n.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_value",
        }
    }


def test_what_is_not_known_is_null() -> None:
    assert error_body(BARE) == {
        "error": {"message": "Oh.", "type": "server_error", "param": None, "code": None}
    }


def test_in_a_stream_it_is_the_servers_fault_so_that_agents_try_again() -> None:
    assert stream_error_body(INFO) == {
        "error": {
            "message": "Say n.",
            "type": "server_error",
            "param": "n",
            "code": "invalid_value",
        }
    }
