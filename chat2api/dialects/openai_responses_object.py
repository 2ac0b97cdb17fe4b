"""The `response` object, complete in every documented field, and the small objects within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from chat2api.chat.events import FinishReason, Usage
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo

Status = Literal["in_progress", "completed", "incomplete", "failed"]

_INCOMPLETE: Mapping[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}

_FAILURE_CODES = frozenset(
    {"context_length_exceeded", "insufficient_quota", "invalid_image", "image_too_large"}
)
"""Codes of ours that the public API's answers fail with under the same name."""


def response_object(
    ask: Ask,
    stamp: Stamp,
    status: Status,
    output: Sequence[Mapping[str, Any]],
    *,
    completed_at: int | None = None,
    incomplete: str | None = None,
    error: Mapping[str, Any] | None = None,
    usage: Usage | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """`completed_at` in epoch seconds; `incomplete` is the reason of `incomplete_details`.

    `notes` are told under a key of ours, as chat completions tell them.
    """
    repeated = {name: value for name, value in ask.echo.items() if name != "input"}
    return {
        "id": stamp.answer_id,
        "object": "response",
        "created_at": stamp.created,
        "completed_at": completed_at,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "model": ask.conversation.model,
        "output": output,
        **repeated,
        "usage": None if usage is None else usage_object(usage),
        **({"chat2api": {"warnings": list(notes)}} if notes else {}),
    }


def incomplete_reason(reason: FinishReason) -> str | None:
    """What an answer that finished for `reason` lacks its end for; None for a whole one."""
    return _INCOMPLETE.get(reason)


def usage_object(usage: Usage) -> dict[str, Any]:
    """With every key the public API sends; `output_tokens` include the reasoning."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def failure_object(info: ErrorInfo) -> dict[str, Any]:
    """The `error` of a failed response, in the public API's vocabulary of codes."""
    return {"code": _failure_code(info), "message": info.message}


def _failure_code(info: ErrorInfo) -> str:
    if info.code in _FAILURE_CODES:
        return info.code or "server_error"
    if info.status == 429:
        return "rate_limit_exceeded"
    if info.code == "content_policy_violation":
        return "invalid_prompt"
    # The request was accepted: whatever broke since is worth another try.
    return "server_error"
