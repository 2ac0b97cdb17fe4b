"""The parts of a message that whole and streamed answers share: usage, why it ended, signatures. Pure."""

from __future__ import annotations

from typing import Any

from chat2api.chat.events import FinishReason, Usage
from chat2api.dialects.protocol import Ask, Stamp

_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}


def message_object(
    ask: Ask,
    stamp: Stamp,
    content: list[dict[str, Any]],
    ending: dict[str, Any],
    usage: dict[str, Any],
) -> dict[str, Any]:
    """The `message`, which repeats the name of the model as the caller spelled it."""
    return {
        "id": stamp.answer_id,
        "type": "message",
        "role": "assistant",
        "model": ask.conversation.model,
        "content": content,
        **ending,
        "usage": {**usage, "service_tier": "standard"},
    }


def ending_of(
    reason: FinishReason, stop: str | None, *, calls: bool, refuses: bool
) -> dict[str, Any]:
    """`stop_reason` and `stop_sequence`. Calls come before a stop string behind them: they wait to be made."""
    kind = _REASONS[reason]
    if kind == "end_turn" and calls:
        kind = "tool_use"
    elif kind == "end_turn" and (stop is not None or refuses):
        kind = "refusal" if stop is None else "stop_sequence"
    return {"stop_reason": kind, "stop_sequence": stop if kind == "stop_sequence" else None}


def usage_object(usage: Usage | None) -> dict[str, Any]:
    """Input that was read from a cache counts apart; output includes thinking."""
    used = usage or Usage(0, 0)
    return {
        "input_tokens": max(0, used.prompt_tokens - used.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": used.cached_tokens,
        "output_tokens": used.completion_tokens,
    }


def signature_of(stamp: Stamp) -> str:
    """Thinking is signed by who made it. Ours says where it comes from; it is not read again."""
    return f"chat2api:{stamp.answer_id}"
