"""The `response` object and the small objects within it."""

from __future__ import annotations

import pytest

from chat2api.chat.events import FinishReason, Usage
from chat2api.dialects.openai_responses_object import (
    failure_object,
    incomplete_reason,
    response_object,
    usage_object,
)
from chat2api.dialects.openai_responses_request import parse_request
from chat2api.dialects.protocol import Stamp
from chat2api.errors import (
    Chat2ApiError,
    ContentPolicyViolation,
    ContextTooLong,
    InsufficientQuota,
    InternalError,
    RateLimited,
    RequestError,
)
from tests.schemas.check import check

ASK = parse_request({"model": "m", "input": "Hi", "metadata": {"a": "b"}})
STAMP = Stamp("resp_AbC", 1_730_000_000)


def test_what_is_not_known_yet_is_null() -> None:
    begun = response_object(ASK, STAMP, "in_progress", [])
    check("response", begun)
    assert (begun["id"], begun["created_at"], begun["model"]) == ("resp_AbC", 1_730_000_000, "m")
    assert [begun[name] for name in ("completed_at", "error", "incomplete_details", "usage")] == [
        None
    ] * 4
    assert begun["metadata"] == {"a": "b"}
    assert "input" not in begun
    assert "chat2api" not in begun


def test_every_end_keeps_the_schema() -> None:
    usage = Usage(3, 4)
    check(
        "response",
        response_object(ASK, STAMP, "completed", [], completed_at=1_730_000_009, usage=usage),
    )
    cut = response_object(ASK, STAMP, "incomplete", [], incomplete="max_output_tokens")
    check("response", cut)
    assert cut["incomplete_details"] == {"reason": "max_output_tokens"}
    broken = failure_object(InternalError("It broke.").info)
    check("response", response_object(ASK, STAMP, "failed", [], error=broken))


def test_notes_stand_under_a_key_of_ours() -> None:
    told = response_object(ASK, STAMP, "incomplete", [], incomplete="content_filter", notes=("n",))
    check("response", told)
    assert told["chat2api"] == {"warnings": ["n"]}


def test_usage() -> None:
    assert usage_object(Usage(9, 12, reasoning_tokens=4, cached_tokens=2)) == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 21,
    }


@pytest.mark.parametrize(
    ("reason", "lacking"),
    [
        ("stop", None),
        ("tool_calls", None),
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ],
)
def test_what_a_finished_answer_lacks(reason: FinishReason, lacking: str | None) -> None:
    assert incomplete_reason(reason) == lacking


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RateLimited("x"), "rate_limit_exceeded"),
        (InsufficientQuota("x"), "insufficient_quota"),
        (Chat2ApiError("x", status=429, code="account_pool_exhausted"), "rate_limit_exceeded"),
        (ContextTooLong("x"), "context_length_exceeded"),
        (ContentPolicyViolation("x"), "invalid_prompt"),
        (RequestError("x", code="invalid_image"), "invalid_image"),
        (RequestError("x"), "server_error"),
        (InternalError("x"), "server_error"),
        (Chat2ApiError("x", status=504, code="upstream_timeout"), "server_error"),
    ],
)
def test_codes_of_failures(error: Chat2ApiError, code: str) -> None:
    assert failure_object(error.info) == {"code": code, "message": "x"}
