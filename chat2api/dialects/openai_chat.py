"""The chat completions dialect: `/v1/chat/completions` as the public API speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chat2api.chat.fold import Completion
from chat2api.dialects.citations import Span, locate
from chat2api.dialects.errors import error_body
from chat2api.dialects.openai_calls import told_calls, told_reason
from chat2api.dialects.openai_chat_request import parse_request
from chat2api.dialects.openai_chat_stream import ChatStream, thread_keys
from chat2api.dialects.openai_usage import total_usage, usage_object
from chat2api.dialects.pictures import picture_markdown
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo, InternalError


class OpenAIChat:
    """Stateless; one serves every request."""

    name = "openai_chat"
    id_prefix = "chatcmpl-"
    single_writes = False

    def parse(self, body: Mapping[str, Any]) -> Ask:
        return parse_request(body)

    def render(self, ask: Ask, stamp: Stamp, completions: Sequence[Completion]) -> dict[str, Any]:
        """A `chat.completion`. Every completion must have finished: a failure is the caller's to draw."""
        usage = total_usage(completion.usage for completion in completions)
        thread = next((c.thread for c in completions if c.thread is not None), None)
        return {
            "id": stamp.answer_id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": ask.conversation.model,
            "choices": [
                _choice(index, completion, legacy=ask.legacy_functions)
                for index, completion in enumerate(completions)
            ],
            "usage": None if usage is None else usage_object(usage),
            "service_tier": "default",
            "system_fingerprint": None,
            **thread_keys(thread),
        }

    def renderer(self, ask: Ask, stamp: Stamp) -> ChatStream:
        return ChatStream(ask, stamp)

    def render_error(self, info: ErrorInfo) -> dict[str, Any]:
        return error_body(info)


def _choice(index: int, completion: Completion, *, legacy: bool) -> dict[str, Any]:
    if completion.finish_reason is None:
        raise InternalError("A broken answer was about to be told as a whole one.")
    return {
        "index": index,
        "message": _message(completion, legacy=legacy),
        "logprobs": None,
        "finish_reason": told_reason(completion.finish_reason, legacy=legacy),
    }


def _message(completion: Completion, *, legacy: bool) -> dict[str, Any]:
    text = "".join(
        piece if isinstance(piece, str) else picture_markdown(piece) for piece in completion.pieces
    )
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if completion.tool_calls or completion.refusal else ""),
        "refusal": completion.refusal or None,
        "annotations": [_annotation(span) for span in locate(text, completion.citations)],
    }
    if completion.reasoning:
        message["reasoning_content"] = completion.reasoning
    return {**message, **told_calls(completion.tool_calls, legacy=legacy)}


def _annotation(span: Span) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url_citation": {
            "url": span.citation.url,
            "title": span.citation.title,
            "start_index": span.start,
            "end_index": span.end,
        },
    }
