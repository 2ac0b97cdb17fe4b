"""Whole messages."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import (
    Citation,
    Event,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import Completion, fold
from chat2api.dialects.anthropic_messages import AnthropicMessages
from chat2api.dialects.anthropic_request import THINKING
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo, InternalError, UpstreamBadResponse

STAMP = Stamp("msg_1", 1_730_000_000)
CONVERSATION = Conversation("claude-x", (Message("user", (Text("Hi"),)),))
DIALECT = AnthropicMessages("req_1")


def drawn(*events: Event, thinks: bool = True) -> dict[str, Any]:
    ask = Ask(CONVERSATION, include_usage=True, echo={THINKING: thinks})
    return DIALECT.render(ask, STAMP, [fold(events)])


def test_a_whole_message() -> None:
    assert drawn(
        ReasoningDelta("hm"),
        TextDelta("Let me "),
        TextDelta("see."),
        ToolCallDelta(0, "call_1", "weather", '{"city":'),
        ToolCallDelta(0, arguments='"Rome"}'),
        Citation("https://a.test", "A"),
        Thread("c", "m"),
        Usage(30, 7, 2, 10),
        Finish("tool_calls"),
    ) == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "chat2api:msg_1"},
            {"type": "text", "text": "Let me see."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 10,
            "output_tokens": 7,
            "service_tier": "standard",
        },
    }


def test_nothing_said() -> None:
    message = drawn(Finish("stop"))
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")
    assert message["usage"]["output_tokens"] == 0


def test_thinking_is_told_to_those_who_asked_for_it() -> None:
    message = drawn(ReasoningDelta("hm"), TextDelta("Hi"), Finish("stop"), thinks=False)
    assert message["content"] == [{"type": "text", "text": "Hi"}]


def test_blocks_stand_as_they_began() -> None:
    message = drawn(
        TextDelta("a"),
        ToolCallDelta(0, "call_1", "f"),
        ToolCallDelta(1, "call_2", "g", "{}"),
        ToolCallDelta(0, arguments='{"n":1}'),
        TextDelta("b"),
        ImageRef("https://x.test/a.png"),
        RefusalDelta("No."),
        Finish("stop"),
    )
    assert [block["type"] for block in message["content"]] == [
        "text", "tool_use", "tool_use", "text",
    ]  # fmt: skip
    assert message["content"][1]["input"] == {"n": 1}
    assert message["content"][3]["text"] == "b![image](https://x.test/a.png)\nNo."


def test_a_call_that_was_cut_holds_what_came() -> None:
    message = drawn(ToolCallDelta(0, "call_1", "f", '{"a":1,"b":"un'), Finish("length"))
    assert message["content"][0]["input"] == {"a": 1}
    assert message["stop_reason"] == "max_tokens"


def test_arguments_that_are_no_object_are_the_upstreams_fault() -> None:
    with pytest.raises(UpstreamBadResponse):
        drawn(ToolCallDelta(0, "call_1", "f", "[1]"), Finish("tool_calls"))


def test_a_broken_answer_is_not_told_as_a_whole_one() -> None:
    with pytest.raises(InternalError):
        DIALECT.render(Ask(CONVERSATION, echo={THINKING: False}), STAMP, [Completion()])


def test_errors_carry_the_requests_id() -> None:
    error = DIALECT.render_error(ErrorInfo(404, "invalid_request_error", "not_found", "No."))
    assert error == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "No."},
        "request_id": "req_1",
    }
