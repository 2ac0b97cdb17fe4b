"""The order of Anthropic's stream events, and the message they add up to."""

from __future__ import annotations

import json
from typing import Any

from tests.schemas.frames import Frame, Streamed, is_object

_DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set(),
}


class _Message:
    """What has come of the answer."""

    def __init__(self, started: dict[str, Any]) -> None:
        self.whole = {**started, "content": []}
        self._open: int | None = None
        self._json = ""
        self._cut = False  # the call last sent
        self.ended = False

    def open(self, event: dict[str, Any]) -> None:
        assert not self._cut, "a block after half a call"
        assert self._open is None, "a block begins before the one before it ended"
        assert not self.ended, "a block after message_delta"
        assert event["index"] == len(self.whole["content"]), "the indexes have a gap"
        self._open = event["index"]
        self._json = ""
        self.whole["content"].append(dict(event["content_block"]))

    def add(self, event: dict[str, Any]) -> None:
        assert event["index"] == self._open, "a delta of a block that is not open"
        block, delta = self.whole["content"][-1], event["delta"]
        assert delta["type"] in _DELTAS[block["type"]], (
            f"{delta['type']} in a {block['type']} block"
        )
        if delta["type"] == "input_json_delta":
            self._json += delta["partial_json"]
        else:
            key = delta["type"].removesuffix("_delta")
            block[key] += delta[key]

    def shut(self, event: dict[str, Any]) -> None:
        assert event["index"] == self._open, "a block ends that is not open"
        self._open = None
        block = self.whole["content"][-1]
        if block["type"] == "tool_use" and self._json:
            self._cut = not is_object(self._json)
            if not self._cut:
                block["input"] = json.loads(self._json)

    def end(self, event: dict[str, Any]) -> None:
        assert self._open is None, "message_delta inside a block"
        assert not self.ended, "message_delta comes once"
        if self._cut:
            assert event["delta"]["stop_reason"] == "max_tokens", f"half a call: {self._json!r}"
        self.ended = True
        self.whole.update(event["delta"])
        self.whole["usage"] = {**self.whole["usage"], **event["usage"]}


def follow(frames: list[Frame]) -> Streamed:
    """`whole` is the message as a plain answer shows it."""
    payloads = [frame.data for frame in frames]
    events = [payload for payload in payloads if payload["type"] != "ping"]
    if events[0]["type"] == "error":
        assert len(events) == 1
        return Streamed(payloads, None, events[0]["error"])
    assert events[0]["type"] == "message_start", "message_start comes first"
    message = _Message(events[0]["message"])
    steps = {
        "content_block_start": message.open,
        "content_block_delta": message.add,
        "content_block_stop": message.shut,
        "message_delta": message.end,
    }
    for event in events[1:-1]:
        assert event["type"] in steps, f"{event['type']} in the middle"
        steps[event["type"]](event)
    if events[-1]["type"] == "error":
        return Streamed(payloads, None, events[-1]["error"])
    assert events[-1]["type"] == "message_stop", "message_stop comes last"
    assert payloads[-1]["type"] == "message_stop"
    assert message.ended, "no message_delta"
    return Streamed(payloads, message.whole)
