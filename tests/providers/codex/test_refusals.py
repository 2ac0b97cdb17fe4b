"""What refusals of the backend mean: to the caller, and for the account."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.errors import Blame, Chat2ApiError, UpstreamRateLimited
from chat2api.providers.codex.refusals import classify

NOW = 1_785_000_000.0
JSON = {"Content-Type": "application/json"}


def refused(status: int, body: Any, **headers: str) -> Chat2ApiError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status, {**JSON, **named}, raw, NOW)


def coded(code: str, message: str = "Said so.", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


def face(error: Chat2ApiError) -> tuple[Any, ...]:
    return error.status, error.code, error.another_account_helps, error.blame


FINAL = (False, Blame.NONE)
SUPPORTED = "The 'gpt-5' model is not supported when using Codex with a ChatGPT account."


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # the request
        (400, {"detail": "Unsupported parameter: n"}, (400, "invalid_value", *FINAL)),
        (400, {"detail": [{"loc": ["body"], "msg": "bad"}]}, (400, "invalid_value", *FINAL)),
        (400, coded("unsupported_value"), (400, "unsupported_value", *FINAL)),
        (
            400,
            coded("invalid_encrypted_content"),
            (400, "invalid_encrypted_content", *FINAL),
        ),
        (400, coded("context_length_exceeded"), (400, "context_length_exceeded", *FINAL)),
        (200, coded("context_length_exceeded"), (400, "context_length_exceeded", *FINAL)),
        (200, coded("invalid_prompt"), (400, "invalid_prompt", *FINAL)),
        (400, coded("cyber_policy"), (400, "content_policy_violation", *FINAL)),
        (200, coded("bio_policy"), (400, "content_policy_violation", *FINAL)),
        (413, {"detail": "too much"}, (413, "request_too_large", *FINAL)),
        # the model
        (400, {"detail": SUPPORTED}, (404, "model_not_found", True, Blame.NONE)),
        (404, coded("model_not_found"), (404, "model_not_found", True, Blame.NONE)),
        # the account
        (
            401,
            {"detail": "Could not parse your authentication token. Please try signing in again."},
            (502, "upstream_account_auth_failed", True, Blame.NEEDS_LOGIN),
        ),
        (
            401,
            coded("token_expired"),
            (502, "upstream_account_auth_failed", True, Blame.NEEDS_LOGIN),
        ),
        (401, b"", (502, "upstream_account_auth_failed", True, Blame.EGRESS)),
        (
            402,
            {"detail": {"code": "deactivated_workspace"}},
            (502, "upstream_account_closed", True, Blame.NEEDS_LOGIN),
        ),
        (
            403,
            {"detail": "Your account has been deactivated."},
            (502, "upstream_account_closed", True, Blame.NEEDS_LOGIN),
        ),
        (402, {"detail": "Pay first"}, (429, "rate_limit_exceeded", True, Blame.LIMITED)),
        (403, {"detail": "no"}, (502, "upstream_access_denied", True, Blame.EGRESS)),
        (
            403,
            coded("unsupported_country"),
            (502, "upstream_access_denied", False, Blame.NONE),
        ),
        # the upstream
        (503, {"detail": "x"}, (503, "upstream_bad_response", True, Blame.NONE)),
        (500, coded("server_is_overloaded"), (503, "upstream_bad_response", True, Blame.NONE)),
        (200, coded("slow_down"), (503, "upstream_bad_response", True, Blame.NONE)),
        (
            200,
            {"error": {"message": "Selected model is at capacity. Please try another."}},
            (503, "upstream_bad_response", True, Blame.NONE),
        ),
        (200, coded("server_error"), (502, "upstream_bad_response", True, Blame.TRANSIENT)),
        (500, b"oops", (502, "upstream_bad_response", True, Blame.TRANSIENT)),
        (404, b"", (502, "upstream_bad_response", True, Blame.NONE)),
        (504, b"", (504, "upstream_timeout", True, Blame.NONE)),
        (302, b"", (502, "upstream_bad_response", True, Blame.TRANSIENT)),
        (200, {"error": {}}, (502, "upstream_bad_response", True, Blame.TRANSIENT)),
    ],
)
def test_meanings(status: int, body: Any, expected: tuple[Any, ...]) -> None:
    error = refused(status, body)
    assert face(error) == expected
    assert error.message
    assert error.upstream_status == status


def test_a_browser_check_is_nobodys_fault() -> None:
    page = b"<html><title>Just a moment...</title></html>"
    assert refused(403, page, Content_Type="text/html").code == "upstream_challenge_required"
    assert refused(403, b"", cf_mitigated="challenge").code == "upstream_challenge_required"


# --- limits


def limit(status: int, body: Any, **headers: str) -> float | None:
    error = refused(status, body, **headers)
    assert isinstance(error, UpstreamRateLimited)
    assert error.per_model, "the family cools, and nothing else of the account"
    return error.retry_after


REACHED = {"type": "usage_limit_reached", "message": "The usage limit has been reached"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "wait"),
    [
        (429, {"error": {**REACHED, "resets_in_seconds": 7200}}, {}, 7200),
        (429, {"error": {**REACHED, "resets_at": NOW + 60}}, {}, 60),
        (429, {"error": {**REACHED, "resets_at": NOW + 90 * 86_400}}, {}, 8 * 86_400),
        (429, {"error": REACHED}, {}, None),
        (
            429,
            {"error": REACHED},
            {
                "x_codex_primary_used_percent": "100",
                "x_codex_primary_reset_at": str(int(NOW) + 30),
            },
            30,
        ),
        (200, coded("rate_limit_exceeded", "Please try again in 1.3s."), {}, 1.3),
        (200, coded("rate_limit_exceeded", "Please try again in 250ms."), {}, 1),
        (429, {"detail": "Too many"}, {"retry_after": "7"}, 7),
        (429, {"detail": "Too many"}, {}, None),
        (200, coded("insufficient_quota"), {}, None),
        (429, {"error": {"type": "usage_not_included", "message": "x"}}, {}, 86_400),
        (402, {"detail": "subscribe"}, {}, 86_400),
    ],
)
def test_when_a_limit_ends(
    status: int, body: Any, headers: dict[str, str], wait: float | None
) -> None:
    assert limit(status, body, **headers) == wait


def test_what_concerns_the_account_is_not_told() -> None:
    for code in ("usage_limit_reached", "token_expired", "deactivated_workspace"):
        told = refused(429, coded(code, "user a@example.com of org-1 is over")).message
        assert "example" not in told
        assert "org-1" not in told


def test_secrets_are_never_told() -> None:
    told = refused(400, {"detail": "bad eyJhbGciOiJSUzI1NiJ9.abcdefghij.klm here"}).message
    assert "eyJ" not in told


_VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["error", "detail", "code", "type", "message", "resets_at"]), inner
        )
    ),
    max_leaves=6,
)


@settings(max_examples=100)
@given(st.sampled_from([200, 400, 401, 403, 404, 429, 500, 599]), _VALUES)
def test_any_body_means_something(status: int, body: Any) -> None:
    error = classify(status, JSON, json.dumps(body).encode(), NOW)
    assert error.message
    assert error.code
