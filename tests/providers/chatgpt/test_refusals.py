"""providers.chatgpt.refusals: every refusal becomes the error that says what it means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import (
    Blame,
    Chat2ApiError,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamRateLimited,
)
from chat2api.providers.chatgpt.refusals import RouteMissing, classify, image_quota

NOW = 1_780_000_000.0
JSON = "application/json"
PAGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>x</body></html>"


def told(status: int, body: Any = "", content_type: str = JSON, **headers: str) -> Chat2ApiError:
    raw = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status, content_type, named, raw.encode(), NOW)


def coded(code: str, message: str = "Some words", **more: Any) -> dict[str, Any]:
    return {"detail": {"code": code, "message": message, **more}}


@pytest.mark.parametrize(
    ("status", "body", "code", "blame", "message"),
    [
        (400, {"detail": "Unsupported parameter: x"}, "invalid_value", Blame.NONE, "Unsupported parameter: x"),
        (400, "", "invalid_value", Blame.NONE, None),
        (400, coded("content_policy_violation"), "content_policy_violation", Blame.NONE, "Some words"),
        (403, {"detail": "This violates our content policy."}, "content_policy_violation", Blame.NONE, None),
        (401, coded("token_expired"), "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, coded("token_invalidated"), "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, {"detail": "Could not parse your authentication token."}, "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, coded("invalid_jwt"), "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, coded("token_revoked"), "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, {"error": "user_deleted", "error_description": "No such user"}, "upstream_account_closed", Blame.NEEDS_LOGIN, None),
        (401, {"detail": "Your session was signed out."}, "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (401, {"detail": "Your account has been deactivated."}, "upstream_account_closed", Blame.NEEDS_LOGIN, None),
        (401, "", "upstream_account_auth_failed", Blame.EGRESS, None),
        (401, "<html><h1>Authorization required</h1></html>", "upstream_account_auth_failed", Blame.EGRESS, None),
        (401, {"detail": "Unauthorized"}, "upstream_account_auth_failed", Blame.EGRESS, None),
        (401, coded("relay_key_missing"), "upstream_account_auth_failed", Blame.EGRESS, None),
        (401, {"detail": "Must be logged in to use this GPT"}, "model_not_found", Blame.NONE, "Must be logged in to use this GPT"),
        (402, coded("deactivated_workspace"), "upstream_account_closed", Blame.NEEDS_LOGIN, None),
        (402, "", "upstream_account_auth_failed", Blame.NEEDS_LOGIN, None),
        (403, {"detail": "Unusual activity has been detected from your device."}, "upstream_access_denied", Blame.EGRESS, None),
        (403, "", "upstream_access_denied", Blame.EGRESS, None),
        (403, {}, "upstream_access_denied", Blame.EGRESS, "The upstream denied access from here."),
        (403, coded("unsupported_country"), "upstream_access_denied", Blame.NONE, "Some words"),
        (403, {"detail": "Country, region, or territory not supported"}, "upstream_access_denied", Blame.NONE, None),
        (403, {"detail": "This feature is not available in your country."}, "upstream_access_denied", Blame.NONE, None),
        (403, coded("usage_not_included"), "upstream_access_denied", Blame.NONE, "Some words"),
        (403, {"detail": "You do not have access to this GPT."}, "model_not_found", Blame.NONE, "You do not have access to this GPT."),
        (403, {"detail": "You do not have access to this model."}, "model_not_found", Blame.NONE, None),
        (403, {"detail": "Your plan does not include this."}, "unsupported_value", Blame.NONE, "Your plan does not include this."),
        (403, {"detail": "Upgrade to use ChatGPT this way."}, "unsupported_value", Blame.NONE, None),
        (403, {"detail": "This feature is turned off."}, "unsupported_value", Blame.NONE, None),
        (403, {"detail": "You do not have access to this workspace."}, "upstream_access_denied", Blame.EGRESS, None),
        (403, {"detail": "No."}, "upstream_access_denied", Blame.NONE, "No."),
        (403, coded("made_up_code"), "upstream_access_denied", Blame.NONE, "Some words"),
        (403, {"detail": "turnstile token missing"}, "upstream_challenge_required", Blame.EGRESS, None),
        (403, coded("model_not_found"), "model_not_found", Blame.NONE, "Some words"),
        (404, coded("conversation_not_found"), "conversation_not_found", Blame.NONE, "Some words"),
        (404, {"detail": "The conversation does not exist."}, "conversation_not_found", Blame.NONE, None),
        (404, {"detail": "The model `x` does not exist or you do not have access to it."}, "model_not_found", Blame.NONE, None),
        (404, {"detail": "Gizmo not found"}, "model_not_found", Blame.NONE, "Gizmo not found"),
        (404, {"detail": "This GPT does not exist."}, "model_not_found", Blame.NONE, None),
        (404, {"detail": "Not Found"}, "upstream_bad_response", Blame.TRANSIENT, "Not Found"),
        (404, {"detail": "No route /backend-api/f/conversation"}, "upstream_bad_response", Blame.TRANSIENT, None),
        (405, "", "upstream_bad_response", Blame.TRANSIENT, "The upstream answered with status 405."),
        (408, "", "upstream_timeout", Blame.NONE, None),
        (409, "", "rate_limit_exceeded", Blame.LIMITED, None),
        (410, coded("persisted_final_available"), "upstream_bad_response", Blame.TRANSIENT, "Some words"),
        (413, "", "context_length_exceeded", Blame.NONE, None),
        (413, coded("message_length_exceeds_limit"), "context_length_exceeded", Blame.NONE, "Some words"),
        (400, {"detail": "The message you submitted was too long."}, "context_length_exceeded", Blame.NONE, None),
        (418, "", "upstream_bad_response", Blame.TRANSIENT, None),
        (422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]}, "upstream_bad_response", Blame.NONE, "field required"),
        (423, "", "rate_limit_exceeded", Blame.LIMITED, None),
        (429, "", "rate_limit_exceeded", Blame.LIMITED, None),
        (429, "<html>Too many</html>", "rate_limit_exceeded", Blame.LIMITED, None),
        (500, {"detail": "rate limit"}, "upstream_bad_response", Blame.TRANSIENT, "rate limit"),
        (502, "<html><body>Bad gateway</body></html>", "upstream_bad_response", Blame.TRANSIENT, "The upstream answered with status 502."),
        (503, "", "upstream_bad_response", Blame.TRANSIENT, None),
        (520, "", "upstream_bad_response", Blame.TRANSIENT, None),
        (302, "", "upstream_bad_response", Blame.TRANSIENT, None),
        (200, {"wss_url": "wss://x", "conversation_id": "c"}, "upstream_bad_response", Blame.TRANSIENT, None),
        (200, {"ok": True}, "upstream_bad_response", Blame.TRANSIENT, "The upstream answered with something else than a stream."),
        (200, "<html>hello</html>", "upstream_bad_response", Blame.TRANSIENT, "The upstream answered with something else than a stream."),
    ],
)  # fmt: skip
def test_meanings(status: int, body: Any, code: str, blame: Blame, message: str | None) -> None:
    error = told(status, body)

    assert (error.code, error.blame) == (code, blame)
    if message is not None:
        assert error.message == message


@pytest.mark.parametrize("status", [200, 403, 429, 503])
def test_challenge_pages(status: int) -> None:
    error = told(status, PAGE, "text/html; charset=UTF-8")

    assert error.code == "upstream_challenge_required"
    assert "<" not in error.message


def test_a_challenge_is_known_by_its_header_too() -> None:
    error = told(403, "", "text/plain", CF_Mitigated="challenge")

    assert error.code == "upstream_challenge_required"


def test_another_page_is_a_plain_denial() -> None:
    error = told(403, "<html><body>Sorry, you have been blocked</body></html>", "text/html")

    assert error.code == "upstream_access_denied"
    assert "blocked" not in error.message


def test_a_body_we_spelled_wrong_is_no_accounts_fault() -> None:
    assert told(422, "").another_account_helps is False
    assert told(500, "").another_account_helps is True


@pytest.mark.parametrize(
    ("body", "helps"),
    [
        ("", True),
        ({"detail": "Unusual activity has been detected."}, True),
        (coded("usage_not_included"), True),
        (coded("unsupported_country"), False),
        ({"detail": "You do not have access to this GPT."}, False),
        ({"detail": "Your plan does not include this."}, False),
        ({"detail": "No."}, False),
    ],
)
def test_whether_another_account_may_do_what_this_one_may_not(body: Any, helps: bool) -> None:
    error = told(403, body)

    assert error.another_account_helps is helps
    assert error.status not in (401, 403)


def test_an_unclear_401_is_still_the_callers_where_the_token_is() -> None:
    assert isinstance(told(401, ""), UpstreamAuthFailed)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ("", True),
        ("null", True),
        ("{}", True),
        ("<html><h1>404</h1></html>", True),
        ("Not Found", True),
        ("404 page not found", True),
        ({"detail": "Not Found"}, True),
        ({"detail": "Method Not Allowed"}, True),
        ({"error": "not_found"}, True),
        ({"error": {"message": "Not found.", "code": "not_found"}}, True),
        ({"message": "Method not allowed"}, True),
        ({"detail": "File not found"}, False),
        ({"detail": "No."}, False),
        (coded("something_else", "Not Found"), False),
        (coded("model_not_found"), False),
        (coded("conversation_not_found"), False),
    ],
)
def test_which_answers_speak_of_the_route(status: int, body: Any, missing: bool) -> None:
    assert isinstance(told(status, body), RouteMissing) is missing


def test_a_gpt_that_is_not_found_is_no_route() -> None:
    assert not isinstance(told(404, {"detail": "Gizmo not found"}), UpstreamBadResponse)


@pytest.mark.parametrize(
    ("status", "body", "headers", "seconds", "per_model"),
    [
        (429, coded("model_cap_exceeded", clears_in=252), {}, 252, True),
        (429, coded("model_cap_exceeded"), {}, 3600, True),
        (429, {"detail": {"message": "Slow down", "clears_in": "30"}}, {}, 30, True),
        (429, {"detail": "Too many requests"}, {}, None, False),
        (429, {"detail": "Too many requests"}, {"Retry_After": "120"}, 120, True),
        (429, "", {"RETRY_AFTER": "Thu, 28 May 2026 20:27:40 GMT"}, 60, True),
        (429, "", {"retry_after": "-1"}, 1, True),
        (429, "", {"retry_after": "315360000"}, 86_400, True),
        (429, {"detail": "Try again in 20 minutes"}, {}, 1200, True),
        (429, {"detail": "Only one message at a time. Wait one minute."}, {}, 60, False),
        (429, {"detail": "Only one message at a time."}, {"retry_after": "5"}, 5, False),
        (423, "", {}, 60, False),
        (429, {"error": {"type": "usage_limit_reached", "message": "Limit", "resets_at": 1_780_604_800}}, {}, 604_800, False),
        (429, {"error": {"type": "usage_limit_reached", "resets_in_seconds": 3600}}, {}, 3600, False),
        (200, {"error": "rate_limit_exceeded", "resets_at": 1_780_000_060_000}, {}, 60, True),
    ],
)  # fmt: skip
def test_limits(
    status: int, body: Any, headers: Any, seconds: float | None, per_model: bool
) -> None:
    error = told(status, body, **headers)

    assert isinstance(error, UpstreamRateLimited)
    assert (error.retry_after, error.per_model) == (seconds, per_model)


def test_messages_are_short_plain_and_without_tokens() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl"
    error = told(400, {"detail": f"bad\x00 token\n {token} " + "x" * 1000})

    assert error.message.startswith("bad token *** xxx")
    assert len(error.message) == 500


def test_picture_quotas() -> None:
    spent = image_quota('{"code":"rate_limit_exceeded","estimated_wait_seconds": 45}', NOW)

    assert spent is not None
    assert (spent.retry_after, spent.per_model) == (45, True)
    assert image_quota("A fine picture.", NOW) is None
    assert image_quota("rate_limit_exceeded" + "x" * 5000, NOW) is None


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["detail", "error", "code", "message", "clears_in", "resets_at", "type"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), documents, st.text(max_size=10))
def test_anything_is_survived(status: int, document: Any, header: str) -> None:
    for body in (json.dumps(document), json.dumps(document).encode()[:-1], header):
        error = classify(status, JSON, {"Retry-After": header}, body, NOW)
        assert 400 <= error.info.status < 600


def test_the_upstreams_own_status_is_kept() -> None:
    error = classify(403, JSON, {}, b'{"detail": "Unusual activity"}', NOW)
    assert (error.status, error.upstream_status) == (502, 403)
