"""Output items while they are being written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from chat2api.chat.events import Citation, ToolCallDelta
from chat2api.dialects.openai_responses_output import (
    CallItem,
    Channel,
    Events,
    MessageItem,
    PictureItem,
    Place,
    ReasoningItem,
    ended,
)
from chat2api.dialects.openai_responses_tools import Home
from chat2api.dialects.protocol import Stamp

STAMP = Stamp("resp_AbC", 1)
HOME = Home("f", None)


def place(index: int = 0) -> Place:
    return Place(STAMP, index)


def told(events: Events) -> list[dict[str, Any]]:
    return [orjson.loads(event) for event in events.take()]


def test_numbers_run_on() -> None:
    events = Events()
    events.tell("a")
    events.say(Channel("b", {"item_id": "i"}), "x")
    assert [event["sequence_number"] for event in told(events)] == [0, 1]
    events.tell("c", more=1)
    assert told(events) == [{"type": "c", "sequence_number": 2, "more": 1}]
    assert events.take() == []


@pytest.mark.parametrize("text", ['"\\\n', "\u2028 é 👩‍👩‍👧 \x00", "%d %b {}"])
def test_a_delta_is_what_plain_json_would_be(text: str) -> None:
    channel = Channel("response.x.delta", {"item_id": 'i"%d', "output_index": 3}, logprobs=[])
    plain = {
        "type": "response.x.delta",
        "sequence_number": 17,
        "item_id": 'i"%d',
        "output_index": 3,
        "delta": text,
        "logprobs": [],
    }
    assert channel.delta(17, text) == orjson.dumps(plain)


def test_a_message_of_text_and_refusal() -> None:
    events = Events()
    message = MessageItem(events, place(2), [Citation("https://a.test", "A")])
    events.say(message.channel_for("output_text"), "See [A](https://a.test)")
    events.say(message.channel_for("output_text"), ".")
    events.say(message.channel_for("refusal"), "No")
    item = message.end("completed")
    annotation = {
        "type": "url_citation",
        "url": "https://a.test",
        "title": "A",
        "start_index": 4,
        "end_index": 23,
    }
    text = {
        "type": "output_text",
        "text": "See [A](https://a.test).",
        "annotations": [annotation],
        "logprobs": [],
    }
    assert item == {
        "id": "msg_AbC100002",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [text, {"type": "refusal", "refusal": "No"}],
    }
    assert [event["type"].removeprefix("response.") for event in told(events)] == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ]


def test_the_beginning_of_an_item_is_not_changed_by_what_follows() -> None:
    events = Events()
    message = MessageItem(events, place(), [])
    added = told(events)[0]["item"]
    events.say(message.channel_for("output_text"), "a")
    assert message.so_far()["content"][0]["text"] == "a"
    message.end("completed")
    assert added["content"] == []


def test_reasoning() -> None:
    events = Events()
    reasoning = ReasoningItem(events, place())
    events.say(reasoning.channel, "Hm")
    summary = {"type": "summary_text", "text": "Hm"}
    assert reasoning.end("completed") == {
        "id": "rs_AbC100000",
        "type": "reasoning",
        "summary": [summary],
    }
    assert [event["type"].removeprefix("response.") for event in told(events)] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]


def test_calls() -> None:
    events = Events()
    call = CallItem(events, place(), ToolCallDelta(0, "c", "n__f"), Home("f", "n"))
    events.say(call.channel, '{"a":')
    assert not call.is_whole
    events.say(call.channel, "1} ")
    assert call.is_whole
    assert call.end("completed") == {
        "id": "fc_AbC100000",
        "type": "function_call",
        "status": "completed",
        "call_id": "c",
        "name": "f",
        "arguments": '{"a":1} ',
        "namespace": "n",
    }
    done = told(events)[-2]
    assert done["type"] == "response.function_call_arguments.done"
    assert (done["name"], done["arguments"]) == ("f", '{"a":1} ')


def test_a_call_without_arguments_has_none_in_json() -> None:
    whole = CallItem(Events(), place(), ToolCallDelta(0, "c", "f"), HOME)
    assert whole.end("completed")["arguments"] == "{}"
    cut = CallItem(Events(), place(), ToolCallDelta(0, "c", "f"), HOME)
    assert cut.end("incomplete")["arguments"] == ""


def test_custom_calls_hold_any_text() -> None:
    events = Events()
    call = CallItem(events, place(), ToolCallDelta(0, "c", "f", custom=True), HOME)
    events.say(call.channel, "{}")
    assert not call.is_whole
    item = call.end("completed")
    assert (item["id"], item["type"], item["input"]) == ("ctc_AbC100000", "custom_tool_call", "{}")
    assert [event["type"].removeprefix("response.") for event in told(events)] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]


def test_a_picture() -> None:
    events = Events()
    item = PictureItem(events, place(), "AA==", "a cat").end("completed")
    assert item == {
        "id": "ig_AbC100000",
        "type": "image_generation_call",
        "status": "completed",
        "result": "AA==",
        "revised_prompt": "a cat",
    }
    assert [event["type"].removeprefix("response.") for event in told(events)] == [
        "output_item.added",
        "image_generation_call.in_progress",
        "image_generation_call.generating",
        "image_generation_call.completed",
        "output_item.done",
    ]


def test_only_the_last_item_was_cut_off() -> None:
    events = Events()
    calls = [
        CallItem(events, place(index), ToolCallDelta(index, str(index), "f"), HOME)
        for index in range(3)
    ]
    statuses = [item["status"] for item in ended(calls, "incomplete")]
    assert statuses == ["completed", "completed", "incomplete"]
