"""providers.chatgpt.refusal_body: what refusals of any shape say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.providers.chatgpt.refusal_body import Refusal, is_challenge, read_refusal

NOW = 1_780_000_000.0
JSON = "application/json"
CHECK = "<title>Just a moment...</title>"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"detail": "text"}, "", "text"),
        ({"detail": {"code": "C_d", "message": "m"}}, "c_d", "m"),
        ({"detail": [{"msg": "m", "type": "missing"}]}, "missing", "m"),
        ({"error": {"code": "x_y", "message": "m", "type": "invalid_request_error"}}, "x_y", "m"),
        ({"error": {"code": None, "message": "m", "type": "invalid_request_error"}}, "", "m"),
        ({"error": "text"}, "", "text"),
        ({"error": "invalid_grant", "error_description": "gone"}, "invalid_grant", "gone"),
        ({"error": "some_code"}, "some_code", ""),
        ({"error": "text", "error_code": "x_y"}, "x_y", "text"),
        ({"message": "m"}, "", "m"),
        ("plain text", "", "plain text"),
        ('"quoted"', "", "quoted"),
        ("[1]", "", ""),
        ("null", "", ""),
        ("<p>page</p>", "", ""),
        ({"message": "<html>page</html>"}, "", ""),
        ("", "", ""),
    ],
)
def test_shapes(body: Any, code: str, message: str) -> None:
    raw = body if isinstance(body, str) else json.dumps(body)

    refusal = read_refusal(400, JSON, {}, raw, NOW)

    assert (refusal.code, refusal.message) == (code, message)


@pytest.mark.parametrize(
    ("content_type", "body", "is_page"),
    [
        ("text/html; charset=utf-8", b"Sorry", True),
        ("text/plain", b" <html>Sorry</html>", True),
        ("text/plain", b"Sorry", False),
        ("text/html", b'{"detail": "Sorry"}', False),
        ("text/html", b"", True),
    ],
)
def test_pages_say_nothing(content_type: str, body: bytes, is_page: bool) -> None:
    refusal = read_refusal(403, content_type, {}, body, NOW)

    assert refusal == Refusal(403, "", "" if is_page else "Sorry", None, is_page)


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"detail": {"clears_in": 30}}, {"Retry-After": "60"}, 30),
        ({"detail": "Try again in 20 minutes"}, {"Retry-After": "60"}, 60),
        ({"detail": "Try again in 20 minutes"}, {}, 1200),
        ({"detail": "Try again"}, {}, None),
    ],
)
def test_where_the_reset_is_looked_for(body: Any, headers: Any, seconds: float | None) -> None:
    assert read_refusal(429, JSON, headers, json.dumps(body), NOW).reset_seconds == seconds


@pytest.mark.parametrize(
    ("content_type", "headers", "body", "expected"),
    [
        ("text/html", {}, CHECK, True),
        (JSON, {}, CHECK, True),
        (JSON, {"CF-Mitigated": "challenge"}, "", True),
        (JSON, {"cf-mitigated": "other"}, "", False),
        (JSON, {}, json.dumps({"detail": CHECK}), False),
        (JSON, {}, {"detail": CHECK}, False),
        ("text/html", {}, "<h1>Bad gateway</h1>", False),
    ],
)
def test_browser_checks(content_type: str, headers: Any, body: Any, expected: bool) -> None:
    assert is_challenge(content_type, headers, body) is expected
