"""The decoder of one turn: the backend's events in, chat events out. Pure.

Each item of the answer comes in pieces and then as a whole, which is the authority; some come as a whole
only. What opens a stream says nothing yet, so a turn that fails right after it can be tried elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    ToolCallDelta,
    Usage,
)
from chat2api.codecs.sse import SseRecord
from chat2api.errors import (
    Chat2ApiError,
    ContentPolicyViolation,
    UpstreamBadResponse,
    UpstreamTruncated,
)
from chat2api.providers.codex.growing import Growing, Items

# So many unreadable events in a row, and this is no stream that we understand.
_MOST_SKIPPED = 20

_BLANK_LINE = "\n\n"
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The kinds of calls, and the field with what they are called with."""

_REFUSAL_PART = 1_000
"""Refusals are parts of a message, told apart from its texts."""

_RAW_PART = 1_000
"""The raw thinking, told apart from summaries of it."""

_REASONS: Mapping[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}

Json = Mapping[str, Any]
Refuse = Callable[[Json], Chat2ApiError]
"""What a failure in a stream means; it is given what an HTTP answer would hold."""


class TurnDecoder:
    """`done` says that the end came. `skipped` counts what could not be read; `limits` is the last event
    that told of the account's allowance."""

    def __init__(
        self,
        refuse: Refuse,
        meant: Mapping[str, str] | None = None,
        seal: Callable[[str], str] = str,
    ) -> None:
        """`meant`: the caller's names of tools, by those that were sent. `seal` makes of encrypted reasoning
        what the caller may keep."""
        self.done = False
        self.skipped = 0
        self.limits: Json | None = None
        self._refuse = refuse
        self._meant = meant or {}
        self._seal = seal
        self._items = Items()
        self._calls = 0
        self._sources: set[str] = set()
        self._held: list[Event] = []
        self._spoke: Growing | None = None
        self._thought: tuple[Growing, int] | None = None
        self._told = False
        self._skipped_in_row = 0

    def feed(self, record: SseRecord) -> list[Event]:
        """Raises what a failure in the stream means, UpstreamBadResponse where it cannot be read."""
        data = record.data
        if not data or data == "[DONE]":
            return []
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            self._skip()
            return []
        if "type" not in event and record.event != "message":
            event["type"] = record.event
        return self.feed_event(event)

    def feed_event(self, event: Json) -> list[Event]:
        """One event, read as JSON."""
        if self.done:
            return []
        found = [*self._held, *self._read(event)]
        if all(map(_is_unseen, found)):
            # It waits for what it led to: until then another account may be tried.
            self._held = found
            return []
        self._held = []
        self._told = True
        return found

    def feed_response(self, response: Json) -> list[Event]:
        """A whole answer instead of a stream."""
        return self.feed_event({"type": "response.completed", "response": response})

    def close(self) -> None:
        """The stream is over. Raises UpstreamTruncated where the answer did not come to its end."""
        if not self.done:
            raise UpstreamTruncated("The upstream stopped without ending its answer.")

    # --- events

    def _read(self, event: Json) -> list[Event]:
        kind = event.get("type")
        if isinstance(kind, str):
            self._skipped_in_row = 0
            handler = _HANDLERS.get(kind)
            return [] if handler is None else list(handler(self, event))
        if event.get("error") or event.get("detail"):
            return self._failed(event)
        self._skip()
        return []

    def _skip(self) -> None:
        self.skipped += 1
        self._skipped_in_row += 1
        if self._skipped_in_row >= _MOST_SKIPPED:
            raise UpstreamBadResponse("The upstream's stream makes no sense.")

    def _on_limits(self, event: Json) -> Iterator[Event]:
        self.limits = event
        yield from ()

    def _on_added(self, event: Json) -> Iterator[Event]:
        item = _fields(event.get("item"))
        kind = _text(item.get("type"))
        if kind in _CALLS:
            yield from self._named(self._items.of(event, kind), item)

    def _on_text(self, event: Json) -> Iterator[Event]:
        item = self._items.of(event, "message")
        yield from self._said(item, item.grow(_text(event.get("delta")), _part(event)))

    def _on_text_done(self, event: Json) -> Iterator[Event]:
        item = self._items.of(event, "message")
        yield from self._said(item, item.complete(event.get("text"), _part(event)))

    def _on_refusal(self, event: Json) -> Iterator[Event]:
        item = self._items.of(event, "message")
        text = item.grow(_text(event.get("delta")), _REFUSAL_PART + _part(event))
        if text:
            yield RefusalDelta(text)

    def _on_annotation(self, event: Json) -> Iterator[Event]:
        yield from self._cited([event.get("annotation")])

    def _on_summary(self, event: Json) -> Iterator[Event]:
        yield from self._summed(event, lambda item, n: item.grow(_text(event.get("delta")), n))

    def _on_summary_done(self, event: Json) -> Iterator[Event]:
        yield from self._summed(event, lambda item, n: item.complete(event.get("text"), n))

    def _summed(self, event: Json, text: Callable[[Growing, int], str]) -> Iterator[Event]:
        item, number = self._items.of(event, "reasoning"), _count(event.get("summary_index")) or 0
        yield from self._thinking(item, number, text(item, number))

    def _on_raw(self, event: Json) -> Iterator[Event]:
        item = self._items.of(event, "reasoning")
        yield from self._thinking(item, _RAW_PART, item.grow(_text(event.get("delta")), _RAW_PART))

    def _on_arguments(self, event: Json) -> Iterator[Event]:
        kind = _kind_of_call(event)
        yield from self._called(self._items.of(event, kind), _text(event.get("delta")), whole=False)

    def _on_arguments_done(self, event: Json) -> Iterator[Event]:
        kind = _kind_of_call(event)
        yield from self._called(self._items.of(event, kind), event.get(_CALLS[kind]), whole=True)

    def _on_item_done(self, event: Json) -> Iterator[Event]:
        item = _fields(event.get("item"))
        kind = item.get("type")
        if isinstance(kind, str):
            yield from self._whole(self._items.of(event, kind), item)

    # --- items

    def _whole(self, known: Growing, item: Json) -> Iterator[Event]:
        """What an item holds beyond what was told of it."""
        if known.ended:
            return
        known.ended = True
        match known.kind:
            case "message":
                yield from self._whole_message(known, item)
            case "reasoning":
                yield from self._whole_reasoning(known, item)
            case "function_call" | "custom_tool_call":
                yield from self._named(known, item)
                yield from self._called(known, item.get(_CALLS[known.kind]), whole=True)
            case "image_generation_call":
                yield from _picture(item)

    def _whole_message(self, known: Growing, item: Json) -> Iterator[Event]:
        for number, part in enumerate(_objects(item.get("content"))):
            if part.get("type") == "refusal":
                text = known.complete(part.get("refusal"), _REFUSAL_PART + number)
                if text:
                    yield RefusalDelta(text)
            else:
                yield from self._said(known, known.complete(part.get("text"), number))
                yield from self._cited(part.get("annotations"))

    def _whole_reasoning(self, known: Growing, item: Json) -> Iterator[Event]:
        for number, part in enumerate(_objects(item.get("summary"))):
            yield from self._thinking(known, number, known.complete(part.get("text"), number))
        encrypted = item.get("encrypted_content")
        if isinstance(encrypted, str) and encrypted:
            yield ReasoningDelta("", self._seal(encrypted))

    def _said(self, item: Growing, text: str) -> Iterator[Event]:
        if not text:
            return
        if self._spoke not in (None, item):
            text = _BLANK_LINE + text
        self._spoke = item
        yield TextDelta(text)

    def _thinking(self, item: Growing, number: int, text: str) -> Iterator[Event]:
        """A summary's parts are paragraphs."""
        if not text:
            return
        if self._thought not in (None, (item, number)):
            text = _BLANK_LINE + text
        self._thought = (item, number)
        yield ReasoningDelta(text)

    def _named(self, call: Growing, item: Json) -> Iterator[Event]:
        call_id, name = _text(item.get("call_id")), _text(item.get("name"))
        if call.number is not None or not call_id or not name:
            return
        call.number, self._calls = self._calls, self._calls + 1
        is_custom = call.kind == "custom_tool_call"
        # What came before its name did waits in the item.
        yield ToolCallDelta(call.number, call_id, self._meant.get(name, name), custom=is_custom)

    def _called(self, call: Growing, arguments: Any, *, whole: bool) -> Iterator[Event]:
        if call.number is None:
            return  # nobody knows yet what is called; the whole item follows
        text = call.complete(arguments) if whole else call.grow(arguments)
        if text:
            yield ToolCallDelta(call.number, arguments=text)

    def _cited(self, annotations: Any) -> Iterator[Event]:
        for source in _objects(annotations):
            url = _text(source.get("url"))
            is_new = bool(url) and url not in self._sources
            if is_new and source.get("type") == "url_citation":
                self._sources.add(url)
                yield Citation(url, _text(source.get("title")))

    # --- endings

    def _on_completed(self, event: Json) -> Iterator[Event]:
        response = _fields(event.get("response"))
        if response.get("status") == "failed":
            yield from self._on_failed(event)
            return
        if response.get("status") == "incomplete":
            yield from self._on_incomplete(event)
            return
        yield from self._rest_of(response)
        yield from self._ended(response, "tool_calls" if self._calls else "stop")

    def _on_incomplete(self, event: Json) -> Iterator[Event]:
        response = _fields(event.get("response"))
        said = _text(_fields(response.get("incomplete_details")).get("reason"))
        reason = _REASONS.get(said)
        if reason is None:
            raise UpstreamTruncated("The upstream ended its answer before it was complete.")
        yield from self._rest_of(response)
        yield from self._ended(response, reason)

    def _on_failed(self, event: Json) -> Iterator[Event]:
        response = _fields(event.get("response"))
        yield from self._failed({"error": _fields(response.get("error"))})

    def _on_error(self, event: Json) -> Iterator[Event]:
        inner = event.get("error")
        flat = {name: value for name, value in event.items() if name != "type"}
        yield from self._failed({"error": inner if isinstance(inner, dict) and inner else flat})

    def _failed(self, told: Json) -> list[Event]:
        self.done = True
        error = self._refuse(told)
        if self._told and isinstance(error, ContentPolicyViolation):
            return [Finish("content_filter")]  # a part of the answer is out already
        raise error

    def _rest_of(self, response: Json) -> Iterator[Event]:
        """Items that only the end of the stream tells of; mostly it tells of none."""
        for number, item in enumerate(_objects(response.get("output"))):
            kind = item.get("type")
            if isinstance(kind, str):
                known = self._items.known(item.get("id"), kind)
                if known is None:
                    known = self._items.of({"output_index": number, "item": item}, kind)
                yield from self._whole(known, item)

    def _ended(self, response: Json, reason: FinishReason) -> Iterator[Event]:
        self.done = True
        usage = _usage(response.get("usage"))
        if usage is not None:
            yield usage
        yield Finish(reason)


_Handler = Callable[[TurnDecoder, Json], Iterator[Event]]

_HANDLERS: Mapping[str, _Handler] = {
    "codex.rate_limits": TurnDecoder._on_limits,
    "response.output_item.added": TurnDecoder._on_added,
    "response.output_item.done": TurnDecoder._on_item_done,
    "response.output_text.delta": TurnDecoder._on_text,
    "response.output_text.done": TurnDecoder._on_text_done,
    "response.output_text.annotation.added": TurnDecoder._on_annotation,
    "response.refusal.delta": TurnDecoder._on_refusal,
    "response.reasoning_summary_text.delta": TurnDecoder._on_summary,
    "response.reasoning_summary_text.done": TurnDecoder._on_summary_done,
    "response.reasoning_text.delta": TurnDecoder._on_raw,
    "response.function_call_arguments.delta": TurnDecoder._on_arguments,
    "response.function_call_arguments.done": TurnDecoder._on_arguments_done,
    "response.custom_tool_call_input.delta": TurnDecoder._on_arguments,
    "response.custom_tool_call_input.done": TurnDecoder._on_arguments_done,
    "response.completed": TurnDecoder._on_completed,
    "response.done": TurnDecoder._on_completed,
    "response.incomplete": TurnDecoder._on_incomplete,
    "response.failed": TurnDecoder._on_failed,
    "error": TurnDecoder._on_error,
}


def _is_unseen(event: Event) -> bool:
    """Whether it is thinking of which nobody sees anything."""
    return isinstance(event, ReasoningDelta) and not event.text


def _kind_of_call(event: Json) -> str:
    is_custom = event["type"].startswith("response.custom_tool_call")
    return "custom_tool_call" if is_custom else "function_call"


def _picture(item: Json) -> Iterator[Event]:
    data, kind = item.get("result"), item.get("output_format")
    if not isinstance(data, str) or not data:
        return
    form = kind if isinstance(kind, str) and kind.isalpha() else "png"
    width, height = _size(item.get("size"))
    prompt = item.get("revised_prompt")
    yield ImageRef(
        f"data:image/{form};base64,{data}",
        width,
        height,
        prompt if isinstance(prompt, str) else None,
    )


def _size(size: Any) -> tuple[int | None, int | None]:
    width, _, height = _text(size).partition("x")
    if width.isdecimal() and height.isdecimal() and len(width) < 6 and len(height) < 6:
        return int(width), int(height)
    return None, None


def _usage(usage: Any) -> Usage | None:
    asked, said = _count(_fields(usage).get("input_tokens")), _fields(usage).get("output_tokens")
    if asked is None and _count(said) is None:
        return None
    cached = _fields(_fields(usage).get("input_tokens_details")).get("cached_tokens")
    thought = _fields(_fields(usage).get("output_tokens_details")).get("reasoning_tokens")
    return Usage(
        asked or 0,
        _count(said) or 0,
        reasoning_tokens=_count(thought) or 0,
        cached_tokens=_count(cached) or 0,
        estimated=False,
    )


def _part(event: Json) -> int:
    return _count(event.get("content_index")) or 0


def _fields(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None
