"""The error tree against the table of the fault matrix, section 0.2."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat2api import errors
from chat2api.errors import (
    Blame,
    Chat2ApiError,
    ErrorInfo,
    PoolExhausted,
    RequestError,
    UnknownModel,
    UpstreamError,
    UpstreamRateLimited,
)


def family(root: type[Chat2ApiError]) -> Iterator[type[Chat2ApiError]]:
    yield root
    for child in root.__subclasses__():
        yield from family(child)


KINDS = sorted(set(family(Chat2ApiError)), key=lambda kind: kind.__name__)

TYPE_OF_STATUS = {
    **dict.fromkeys((400, 401, 404, 405, 408, 413, 414, 415, 431), "invalid_request_error"),
    403: "permission_error",
    409: "conflict_error",
    429: "rate_limit_error",
    **dict.fromkeys((499, 500, 502, 503, 504), "server_error"),
}

OTHER_TYPES = {errors.InsufficientQuota: "insufficient_quota"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_type_of_its_status(kind: type[Chat2ApiError]) -> None:
    assert kind.type == OTHER_TYPES.get(kind, TYPE_OF_STATUS[kind.status])
    assert kind.code


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("InvalidJson", 400, "invalid_json"),
        ("JsonTooDeep", 400, "json_too_deep"),
        ("RequestError", 400, "invalid_value"),
        ("MissingParameter", 400, "missing_required_parameter"),
        ("ContextTooLong", 400, "context_length_exceeded"),
        ("ContentPolicyViolation", 400, "content_policy_violation"),
        ("Unauthorized", 401, "invalid_api_key"),
        ("LoginRequired", 401, "login_required"),
        ("Forbidden", 403, "forbidden_path"),
        ("KeyScope", 403, "key_scope"),
        ("ModelNotAllowed", 403, "model_not_allowed"),
        ("CsrfFailed", 403, "csrf_failed"),
        ("AdminClosed", 403, "admin_closed"),
        ("NotFound", 404, "not_found"),
        ("UnknownModel", 404, "model_not_found"),
        ("ConversationNotFound", 404, "conversation_not_found"),
        ("MethodNotAllowed", 405, "method_not_allowed"),
        ("RequestTimeout", 408, "request_timeout"),
        ("Conflict", 409, "version_conflict"),
        ("TooLarge", 413, "request_too_large"),
        ("UriTooLong", 414, "uri_too_long"),
        ("UnsupportedMediaType", 415, "unsupported_media_type"),
        ("PoolExhausted", 429, "account_pool_exhausted"),
        ("UpstreamRateLimited", 429, "rate_limit_exceeded"),
        ("RateLimited", 429, "rate_limit_exceeded"),
        ("InsufficientQuota", 429, "insufficient_quota"),
        ("TooManyLoginAttempts", 429, "too_many_login_attempts"),
        ("InternalError", 500, "internal_error"),
        ("UpstreamBadResponse", 502, "upstream_bad_response"),
        ("UpstreamConnectionError", 502, "upstream_connection_error"),
        ("UpstreamTruncated", 502, "upstream_truncated"),
        ("UpstreamAccessDenied", 502, "upstream_access_denied"),
        ("UpstreamChallenge", 502, "upstream_challenge_required"),
        ("UpstreamAuthFailed", 502, "upstream_account_auth_failed"),
        ("UpstreamLoginRequired", 502, "login_required"),
        ("ProofTooHard", 502, "proof_of_work_too_hard"),
        ("NoAccountAvailable", 503, "no_account_available"),
        ("Overloaded", 503, "server_overloaded"),
        ("ShuttingDown", 503, "server_shutting_down"),
        ("ProviderUnavailable", 503, "provider_unavailable"),
        ("UpstreamTimeout", 504, "upstream_timeout"),
    ],
)
def test_the_wire_vocabulary(name: str, status: int, code: str) -> None:
    kind = getattr(errors, name)
    assert (kind.status, kind.code) == (status, code)


def test_only_the_callers_own_key_is_ever_a_401_or_403() -> None:
    for kind in family(UpstreamError):
        assert kind.status not in {401, 403}


def test_only_upstream_failures_blame_an_account_or_try_another() -> None:
    for kind in KINDS:
        if not issubclass(kind, UpstreamError):
            assert kind.blame is Blame.NONE
            assert not kind.another_account_helps


@pytest.mark.parametrize(
    ("name", "blame", "another_helps"),
    [
        ("UpstreamBadResponse", Blame.TRANSIENT, True),
        ("UpstreamConnectionError", Blame.NONE, True),
        ("UpstreamTimeout", Blame.NONE, True),
        ("UpstreamAccessDenied", Blame.EGRESS, True),
        ("UpstreamAuthFailed", Blame.NEEDS_LOGIN, True),
        ("UpstreamRateLimited", Blame.LIMITED, True),
        ("ProviderUnavailable", Blame.NONE, False),
    ],
)
def test_what_a_failure_says_about_the_account(
    name: str, blame: Blame, another_helps: bool
) -> None:
    kind = getattr(errors, name)
    assert (kind.blame, kind.another_account_helps) == (blame, another_helps)


def test_the_face_of_an_error() -> None:
    assert PoolExhausted("All accounts rest.", retry_after=12.5).info == ErrorInfo(
        429, "rate_limit_error", "account_pool_exhausted", "All accounts rest.", None, 12.5
    )


def test_code_and_status_can_be_told_more_exactly() -> None:
    error = RequestError("No such call.", param="messages[0]", code="tool_call_not_found")
    assert error.info == ErrorInfo(
        400, "invalid_request_error", "tool_call_not_found", "No such call.", "messages[0]"
    )
    assert RequestError.code == "invalid_value"
    assert UpstreamError("Odd.", status=503).info.status == 503


def test_a_class_may_name_its_parameter() -> None:
    assert UnknownModel("No such model.").info.param == "model"
    assert UnknownModel("No such model.", param="messages").info.param == "messages"


def test_an_error_reads_as_its_message() -> None:
    assert str(RequestError("Say n.")) == "Say n."


def test_a_limit_may_hold_for_one_model_only() -> None:
    error = UpstreamRateLimited("Later.", retry_after=60, per_model=True)
    assert (error.per_model, error.retry_after) == (True, 60)
    assert not UpstreamRateLimited("Later.").per_model
