"""The order of the events of `/v1/responses`, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.schemas.frames import Frame, Streamed, is_object

_ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
_CHANGES = ("status", "completed_at", "output", "usage", "error", "incomplete_details", "chat2api")
"""What of a response may differ between its first event and its last."""

_LATE = ("conversation_id", "message_id")  # known once the upstream has said so


@dataclass
class _Item:
    """An output item that is open. `pieces` are its parts; a call has one, of index 0."""

    first: dict[str, Any]
    pieces: list[dict[str, Any]] = field(default_factory=list)
    text: str | None = None  # of the piece that is open
    said_whole: bool = False
    annotations: list[Any] = field(default_factory=list)

    def part_added(self, index: int, part: dict[str, Any]) -> None:
        assert self.text is None, "a part begins before the one before it ended"
        assert index == len(self.pieces), "the parts have a gap"
        assert part.get("text", part.get("refusal")) == "", f"a part begins with text: {part}"
        self.text, self.said_whole, self.annotations = "", False, []

    def delta(self, index: int, text: str) -> None:
        assert self.text is not None, "a delta outside a part"
        assert not self.said_whole, "a delta after its done"
        assert index == len(self.pieces)
        self.text += text

    def text_done(self, index: int, text: str) -> None:
        assert index == len(self.pieces)
        assert text == self.text, f"deltas say {self.text!r}, done says {text!r}"
        self.said_whole = True

    def annotated(self, index: int, annotation: Any) -> None:
        assert index == len(self.annotations), "the annotations have a gap"
        self.annotations.append(annotation)

    def part_done(self, index: int, part: dict[str, Any]) -> None:
        assert self.said_whole, "a part ends before its text is done"
        assert index == len(self.pieces)
        assert part.get("text", part.get("refusal")) == self.text
        assert part.get("annotations", []) == self.annotations
        self.pieces.append(part)
        self.text = None

    def call_delta(self, text: str) -> None:
        assert not self.said_whole, "a delta after its done"
        self.text = (self.text or "") + text

    def call_done(self, text: str) -> None:
        assert text == (self.text or ""), f"deltas say {self.text!r}, done says {text!r}"
        self.text, self.said_whole = text, True

    def done(self, item: dict[str, Any]) -> None:
        for key in ("id", "type", "role", "name", "call_id"):
            assert item.get(key) == self.first.get(key), f"{key} changes on the way: {item}"
        match item["type"]:
            case "message":
                assert item["content"] == self.pieces
            case "reasoning":
                assert item["summary"] == self.pieces
            case "function_call":
                assert self.said_whole, "a call ends before its arguments are done"
                assert item["arguments"] == self.text
                if item["status"] == "completed":
                    assert is_object(item["arguments"]), f"half a call: {item}"
            case "custom_tool_call":
                assert self.said_whole, "a call ends before its input is done"
                assert item["input"] == self.text
        assert item["type"] not in ("message", "reasoning") or self.text is None


class _Answer:
    def __init__(self) -> None:
        self.open: dict[int, _Item] = {}
        self.finished: dict[int, Any] = {}

    def take(self, event: dict[str, Any]) -> None:
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            return self._added(event["output_index"], event["item"])
        item = self.open.get(event["output_index"])
        assert item is not None, f"{kind} of an item that is not open"
        if kind == "output_item.done":
            item.done(event["item"])
            self.finished[event["output_index"]] = event["item"]
            del self.open[event["output_index"]]
            return None
        assert event["item_id"] == item.first["id"], f"{kind} names another item"
        return _within(item, kind, event)

    def _added(self, index: int, item: dict[str, Any]) -> None:
        assert index == len(self.open) + len(self.finished), "the items have a gap"
        assert item.get("status") in ("in_progress", None), f"an item begins as {item['status']}"
        for key in ("content", "summary"):
            assert item.get(key, []) == [], f"an item begins with {key}"
        for key in ("arguments", "input"):
            assert item.get(key, "") == "", f"an item begins with {key}"
        self.open[index] = _Item(item)


def _within(item: _Item, kind: str, event: dict[str, Any]) -> None:
    index = event.get("content_index", event.get("summary_index", 0))
    match kind.split("."):
        case ["content_part" | "reasoning_summary_part", "added"]:
            item.part_added(index, event["part"])
        case ["content_part" | "reasoning_summary_part", "done"]:
            item.part_done(index, event["part"])
        case ["output_text" | "refusal" | "reasoning_summary_text", "delta"]:
            item.delta(index, event["delta"])
        case ["output_text" | "reasoning_summary_text", "done"]:
            item.text_done(index, event["text"])
        case ["refusal", "done"]:
            item.text_done(index, event["refusal"])
        case ["output_text", "annotation", "added"]:
            item.annotated(event["annotation_index"], event["annotation"])
        case ["function_call_arguments" | "custom_tool_call_input", "delta"]:
            item.call_delta(event["delta"])
        case ["function_call_arguments", "done"]:
            assert event["name"] == item.first["name"]
            item.call_done(event["arguments"])
        case ["custom_tool_call_input", "done"]:
            item.call_done(event["input"])
        case ["image_generation_call" | "web_search_call", _]:
            assert item.first["type"] == kind.split(".")[0]
        case _:
            raise AssertionError(f"{kind} has no place in an item")


def follow(frames: list[Frame]) -> Streamed:
    """`whole` is the response object of the last event, None after an `error` event."""
    events = [frame.data for frame in frames]
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(len(events))), f"sequence numbers: {numbers[:20]}"
    last = events[-1]
    assert last["type"] in _ENDS, f"the stream ends with {last['type']}"
    if len(events) == 1 and last["type"] == "error":
        return Streamed(events, None, last)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    answer = _Answer()
    for event in events[2:-1]:
        assert event["type"] not in (*_ENDS, "response.created"), f"{event['type']} in the middle"
        if event["type"] != "response.in_progress":
            answer.take(event)
    if last["type"] == "error":
        return Streamed(events, None, last)
    _check_end(events[0]["response"], last["response"], answer)
    return Streamed(events, last["response"], last["response"]["error"])


def _check_end(first: dict[str, Any], whole: dict[str, Any], answer: _Answer) -> None:
    fixed = {key: value for key, value in whole.items() if key not in (*_CHANGES, *_LATE)}
    began = {key: value for key, value in first.items() if key not in (*_CHANGES, *_LATE)}
    assert fixed == began, "the response changes on the way"
    if whole["status"] != "failed":
        assert not answer.open, "an item has no end"
        assert whole["output"] == [item for _, item in sorted(answer.finished.items())]
    if (usage := whole["usage"]) is not None:
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
