"""The `usage` object of chat completions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chat2api.chat.events import Usage


def total_usage(usages: Iterable[Usage | None]) -> Usage | None:
    """Of several choices: what was written adds up, the one prompt counts once. None if none is known."""
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    return Usage(
        prompt_tokens=known[0].prompt_tokens,
        completion_tokens=sum(usage.completion_tokens for usage in known),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
        cached_tokens=known[0].cached_tokens,
        estimated=any(usage.estimated for usage in known),
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """With every key the public API sends; `completion_tokens` include the reasoning."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
