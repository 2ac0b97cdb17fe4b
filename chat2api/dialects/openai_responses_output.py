"""The output items of a Responses answer while they are being written.

Each item tells its own events: that it begins, what it says, that it is done. Items are numbered by their
place in the answer; every event carries the next number of the whole answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import orjson

from chat2api.chat.events import Citation, ToolCallDelta
from chat2api.dialects.citations import Span, locate
from chat2api.dialects.openai_responses_input import OUTPUT_SIDE, item_id
from chat2api.dialects.openai_responses_tools import Home
from chat2api.dialects.protocol import Stamp

ItemStatus = Literal["completed", "incomplete"]
PartType = Literal["output_text", "refusal"]


class Events:
    """The events of an answer that nobody has taken yet, as JSON texts that begin with their type."""

    __slots__ = ("_number", "_waiting")

    def __init__(self) -> None:
        self._number = 0
        self._waiting: list[bytes] = []

    def tell(self, kind: str, **fields: Any) -> None:
        event = {"type": kind, "sequence_number": self._next(), **fields}
        self._waiting.append(orjson.dumps(event))

    def say(self, channel: Channel, text: str) -> None:
        """A delta."""
        self._waiting.append(self.said(channel, text))

    def said(self, channel: Channel, text: str) -> bytes:
        """A delta that goes out at once; nothing may be waiting."""
        number = self._number
        self._number = number + 1
        channel.said.append(text)
        return channel.delta(number, text)

    def take(self) -> list[bytes]:
        taken, self._waiting = self._waiting, []
        return taken

    def _next(self) -> int:
        number = self._number
        self._number += 1
        return number


class Channel:
    """Where deltas of one kind go, with all but their number and text rendered once."""

    __slots__ = ("_after", "_before", "_between", "said")

    def __init__(self, kind: str, place: dict[str, Any], **after: Any) -> None:
        self.said: list[str] = []
        self._before = b'{"type":"%b","sequence_number":' % kind.encode()
        self._between = b',%b,"delta":' % orjson.dumps(place)[1:-1]
        self._after = b",%b" % orjson.dumps(after)[1:] if after else b"}"

    def delta(self, number: int, text: str) -> bytes:
        return b"%b%d%b%b%b" % (
            self._before,
            number,
            self._between,
            orjson.dumps(text),
            self._after,
        )

    @property
    def text(self) -> str:
        return "".join(self.said)


@dataclass(frozen=True, slots=True)
class Place:
    """Of an item in the answer."""

    stamp: Stamp
    index: int

    def id_for(self, kind: str) -> str:
        return item_id(kind, self.stamp, OUTPUT_SIDE, self.index)


class OutputItem(Protocol):
    """An item that has begun."""

    def so_far(self) -> dict[str, Any]:
        """The item with what was said of it, for an answer that breaks off."""

    def end(self, status: ItemStatus) -> dict[str, Any]:
        """Tells that the item is done, and gives it."""


class _Item:
    """What all items share: their place, and the telling of their beginning and end."""

    __slots__ = ("_events", "item_id", "place")

    def __init__(self, events: Events, place: Place, kind: str) -> None:
        self._events = events
        self.place = place.index
        self.item_id = place.id_for(kind)

    def _begin(self, item: dict[str, Any]) -> None:
        self._events.tell("response.output_item.added", output_index=self.place, item=item)

    def _tell(self, kind: str, **fields: Any) -> None:
        self._events.tell(kind, item_id=self.item_id, output_index=self.place, **fields)

    def _done(self, item: dict[str, Any]) -> dict[str, Any]:
        self._events.tell("response.output_item.done", output_index=self.place, item=item)
        return item

    @property
    def _where(self) -> dict[str, Any]:
        return {"item_id": self.item_id, "output_index": self.place}


class MessageItem(_Item):
    """Text and refusals. `channel` is where the part that is being written goes on."""

    __slots__ = ("_citations", "_parts", "_type", "channel")

    def __init__(self, events: Events, place: Place, citations: list[Citation]) -> None:
        super().__init__(events, place, "message")
        self._citations = citations
        self._parts: list[dict[str, Any]] = []
        self._type: PartType | None = None
        self.channel: Channel | None = None
        self._begin(self._item("in_progress"))

    def channel_for(self, part: PartType) -> Channel:
        """A part of this type; another one that was being written ends."""
        if self._type != part or self.channel is None:
            self._end_part()
            self._type, self.channel = part, self._begin_part(part)
        return self.channel

    def so_far(self) -> dict[str, Any]:
        item = self._item("incomplete")
        if self._type is not None and self.channel is not None:
            item["content"].append(_part(self._type, self.channel.text))
        return item

    def end(self, status: ItemStatus) -> dict[str, Any]:
        self._end_part()
        return self._done(self._item(status))

    def _item(self, status: str) -> dict[str, Any]:
        return {
            "id": self.item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": list(self._parts),
        }

    def _begin_part(self, part: PartType) -> Channel:
        index = len(self._parts)
        self._tell("response.content_part.added", content_index=index, part=_part(part, ""))
        where = {**self._where, "content_index": index}
        if part == "refusal":
            return Channel("response.refusal.delta", where)
        return Channel("response.output_text.delta", where, logprobs=[])

    def _end_part(self) -> None:
        if self._type is None or self.channel is None:
            return
        text, index = self.channel.text, len(self._parts)
        part = _part(self._type, text)
        if self._type == "output_text":
            part["annotations"] = self._annotate(text, index)
            self._tell("response.output_text.done", content_index=index, text=text, logprobs=[])
        else:
            self._tell("response.refusal.done", content_index=index, refusal=text)
        self._tell("response.content_part.done", content_index=index, part=part)
        self._parts.append(part)
        self._type = self.channel = None

    def _annotate(self, text: str, index: int) -> list[dict[str, Any]]:
        annotations = [_annotation(span) for span in locate(text, self._citations)]
        for number, annotation in enumerate(annotations):
            self._tell(
                "response.output_text.annotation.added",
                content_index=index,
                annotation_index=number,
                annotation=annotation,
            )
        return annotations


class ReasoningItem(_Item):
    """What the model lets us see of its thinking, told as one summary."""

    __slots__ = ("channel",)

    def __init__(self, events: Events, place: Place) -> None:
        super().__init__(events, place, "reasoning")
        self._begin(self._item([]))
        self._tell("response.reasoning_summary_part.added", summary_index=0, part=_summary(""))
        where = {**self._where, "summary_index": 0}
        self.channel = Channel("response.reasoning_summary_text.delta", where)

    def so_far(self) -> dict[str, Any]:
        return self._item([_summary(self.channel.text)])

    def end(self, status: ItemStatus) -> dict[str, Any]:
        text = self.channel.text
        self._tell("response.reasoning_summary_text.done", summary_index=0, text=text)
        self._tell("response.reasoning_summary_part.done", summary_index=0, part=_summary(text))
        return self._done(self.so_far())

    def _item(self, summary: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.item_id, "type": "reasoning", "summary": summary}


class CallItem(_Item):
    """A call of one of the caller's tools, by the name the caller knows the tool by."""

    __slots__ = ("_call_id", "_custom", "_home", "channel")

    def __init__(self, events: Events, place: Place, call: ToolCallDelta, home: Home) -> None:
        super().__init__(events, place, "custom_tool_call" if call.custom else "function_call")
        self._call_id = call.call_id or ""
        self._custom = call.custom
        self._home = home
        self._begin(self._item("", "in_progress"))
        kind = "custom_tool_call_input" if call.custom else "function_call_arguments"
        self.channel = Channel(f"response.{kind}.delta", self._where)

    @property
    def is_whole(self) -> bool:
        """Nothing can follow: the arguments are a JSON object already."""
        return not self._custom and _is_object(self.channel.text)

    def so_far(self) -> dict[str, Any]:
        return self._item(self.channel.text, "incomplete")

    def end(self, status: ItemStatus) -> dict[str, Any]:
        if self._custom:
            text = self.channel.text
            self._tell("response.custom_tool_call_input.done", input=text)
        else:
            if not self.channel.said and status == "completed":
                # A tool without parameters; clients read arguments as JSON whatever the tool.
                self._events.say(self.channel, "{}")
            text = self.channel.text
            self._tell(
                "response.function_call_arguments.done", name=self._home.name, arguments=text
            )
        return self._done(self._item(text, status))

    def _item(self, text: str, status: str) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": self.item_id,
            "type": "custom_tool_call" if self._custom else "function_call",
            "status": status,
            "call_id": self._call_id,
            "name": self._home.name,
            "input" if self._custom else "arguments": text,
        }
        if self._home.namespace is not None:
            item["namespace"] = self._home.namespace
        return item


class PictureItem(_Item):
    """A finished picture: base64 of its bytes."""

    __slots__ = ("_base64", "_prompt")

    def __init__(self, events: Events, place: Place, base64: str, prompt: str | None) -> None:
        super().__init__(events, place, "image_generation_call")
        self._base64 = base64
        self._prompt = prompt
        self._begin(self._item("in_progress", None))
        for stage in ("in_progress", "generating", "completed"):
            self._tell(f"response.image_generation_call.{stage}")

    def so_far(self) -> dict[str, Any]:
        return self._item("completed", self._base64)

    def end(self, status: ItemStatus) -> dict[str, Any]:
        return self._done(self.so_far())

    def _item(self, status: str, result: str | None) -> dict[str, Any]:
        item = {
            "id": self.item_id,
            "type": "image_generation_call",
            "status": status,
            "result": result,
        }
        return item if self._prompt is None else {**item, "revised_prompt": self._prompt}


def ended(items: Iterable[OutputItem], status: ItemStatus) -> list[dict[str, Any]]:
    """All of `items` done. What an answer was cut off in is its last item."""
    *whole, last = items
    return [*(item.end("completed") for item in whole), last.end(status)]


def _part(kind: PartType, text: str) -> dict[str, Any]:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}


def _annotation(span: Span) -> dict[str, Any]:
    return {
        "type": "url_citation",
        "url": span.citation.url,
        "title": span.citation.title,
        "start_index": span.start,
        "end_index": span.end,
    }


def _is_object(text: str) -> bool:
    if not text.rstrip().endswith("}"):
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
