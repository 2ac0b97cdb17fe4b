"""The decoder of one answer: a server's chunks in, chat events out. Pure.

A whole answer to a request for a stream is read as one large chunk. Of what servers add or spell in their
own way, that is taken which is common: `chat2api.chat.events` says what may come out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from chat2api.chat.events import (
    Citation,
    Event,
    Finish,
    FinishReason,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Usage,
)
from chat2api.codecs.sse import SseRecord
from chat2api.errors import Chat2ApiError, UpstreamBadResponse, UpstreamTruncated
from chat2api.providers.openai_compatible.calls import CallReader

# So many unreadable events in a row, and this is no stream that we understand.
_MOST_SKIPPED = 20

_DONE = "[DONE]"
_BEATS = ("ping", "heartbeat", "keepalive")
_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
}
# How servers say in place of a reason that they broke off.
_FAILURES = frozenset(
    {"error", "abort", "aborted", "network_error", "insufficient_system_resource"}
)
_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")

Refuse = Callable[[Mapping[str, Any]], Chat2ApiError]
"""What an error object in a stream means."""


class AnswerDecoder:
    """`finished` says that a finish reason came, and nothing of the answer since; `done` that nothing more
    can. `skipped` counts what could not be read."""

    def __init__(self, refuse: Refuse, new_id: Callable[[], str]) -> None:
        self.done = False
        self.skipped = 0
        self._refuse = refuse
        self._calls = CallReader(new_id)
        self._usage: Usage | None = None
        self._reason: FinishReason | None = None
        self._said_since = False
        self._skipped_in_row = 0

    @property
    def finished(self) -> bool:
        return self._reason is not None and not self._said_since

    def feed(self, record: SseRecord) -> list[Event]:
        """Raises what an error in the stream means, UpstreamBadResponse where it cannot be read."""
        data = record.data.strip()
        if self.done or not data:
            return []
        if data == _DONE:
            self.done = True
            return []
        chunk = read_json(data)
        if record.event == "error" and not (isinstance(chunk, dict) and "error" in chunk):
            raise self._refuse(chunk if isinstance(chunk, dict) else {"message": data})
        if not isinstance(chunk, dict):
            self._skip()
            return []
        if record.event in _BEATS or chunk.get("type") in _BEATS:
            return []
        return self.feed_chunk(chunk)

    def feed_chunk(self, chunk: Mapping[str, Any]) -> list[Event]:
        """One chunk, or a whole answer."""
        if chunk.get("error") or chunk.get("object") == "error":
            raise self._refuse(chunk)
        usage = _usage(chunk.get("usage"))
        self._usage = usage or self._usage
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            if usage is None:
                self._skip()
            return []
        self._skipped_in_row = 0
        out: list[Event] = []
        for choice in choices:
            if isinstance(choice, dict) and not choice.get("index"):  # one answer was asked for
                out += self._choice(choice)
        # The figures come last, without an answer beside them. Servers that tell them in every chunk may
        # also give a reason in every chunk.
        self.done = self.finished and usage is not None and not choices
        return out

    def close(self) -> list[Event]:
        """The stream is over. Raises UpstreamTruncated where the answer did not come to its end."""
        self.done = True
        self.skipped += self._calls.nameless
        if self._reason is None:
            raise UpstreamTruncated("The upstream stopped without ending its answer.")
        reason = self._settled(self._reason)
        calls = self._calls.close() if reason == "tool_calls" else []
        usage = [] if self._usage is None else [self._usage]
        return [*calls, *usage, Finish(reason)]

    def _settled(self, reason: FinishReason) -> FinishReason:
        """Servers say `stop` after calls; and one that called nothing must not make the caller wait for it."""
        if self._calls.told:
            return "tool_calls" if reason == "stop" else reason
        return "stop" if reason == "tool_calls" else reason

    def _choice(self, choice: Mapping[str, Any]) -> list[Event]:
        if choice.get("error"):
            raise self._refuse(choice)
        delta = choice.get("delta") or choice.get("message")
        out = list(self._delta(delta)) if isinstance(delta, dict) else []
        if not isinstance(delta, dict) and isinstance(choice.get("text"), str) and choice["text"]:
            out.append(TextDelta(choice["text"]))
        self._said_since = self._said_since or bool(out)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason and not self.finished:
            if reason.lower() in _FAILURES:
                raise UpstreamBadResponse("The upstream broke its answer off.")
            self._reason = _REASONS.get(reason.lower(), "stop")
            self._said_since = False
        return out

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        reasoning = _reasoning(delta)
        if reasoning:
            yield ReasoningDelta(reasoning)
        yield from _content(delta.get("content"))
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            yield RefusalDelta(refusal)
        yield from _pictures(delta.get("images"))
        yield from self._calls.feed(delta.get("tool_calls"))
        yield from self._calls.feed_legacy(delta.get("function_call"))
        yield from _citations(delta.get("annotations"))

    def _skip(self) -> None:
        self.skipped += 1
        self._skipped_in_row += 1
        if self._skipped_in_row >= _MOST_SKIPPED:
            raise UpstreamBadResponse("The upstream's stream cannot be understood.")


def read_json(text: str) -> Any:
    """What a server means by it, also where it writes NaN or half a character as no JSON may; None for
    what is none at all."""
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(text)
    with suppress(ValueError, RecursionError):
        value = json.loads(text, parse_constant=lambda name: None)
        return orjson.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return None


def _reasoning(delta: Mapping[str, Any]) -> str:
    """Servers that spell it twice say the same twice."""
    for name in _REASONING_FIELDS:
        text = delta.get(name)
        if isinstance(text, str) and text:
            return text
    return ""


def _content(content: object) -> Iterator[Event]:
    """A text, or a list of parts."""
    if isinstance(content, str):
        if content:
            yield TextDelta(content)
        return
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        text = part.get("text")
        if part.get("type") == "thinking":
            thoughts = part.get("thinking")
            inner = [thoughts] if isinstance(thoughts, str) else _texts(thoughts)
            yield from (ReasoningDelta(thought) for thought in inner if thought)
        elif part.get("type") == "image_url":
            yield from _pictures([part])
        elif isinstance(text, str) and text:
            yield TextDelta(text)


def _texts(parts: object) -> list[str]:
    found = (
        [part.get("text") for part in parts if isinstance(part, dict)]
        if isinstance(parts, list)
        else []
    )
    return [text for text in found if isinstance(text, str)]


def _pictures(pictures: object) -> Iterator[Event]:
    for picture in pictures if isinstance(pictures, list) else ():
        source = picture.get("image_url") if isinstance(picture, dict) else None
        url = source.get("url") if isinstance(source, dict) else source
        if isinstance(url, str) and url:
            yield ImageRef(url)


def _citations(annotations: object) -> Iterator[Event]:
    for annotation in annotations if isinstance(annotations, list) else ():
        source = annotation.get("url_citation") if isinstance(annotation, dict) else None
        if isinstance(source, dict) and isinstance(source.get("url"), str):
            title = source.get("title")
            yield Citation(source["url"], title if isinstance(title, str) else "")


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is None and completion is None:
        return None
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    return Usage(
        prompt or 0,
        completion or 0,
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens") or 0,
        cached_tokens=cached or _count(usage, "prompt_cache_hit_tokens") or 0,
        estimated=False,
    )


def _count(fields: object, name: str) -> int | None:
    value = fields.get(name) if isinstance(fields, dict) else None
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None
