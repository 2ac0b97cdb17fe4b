"""The Responses dialect as a server uses it."""

from __future__ import annotations

import pytest

from chat2api.chat.events import (
    Event,
    Failure,
    Finish,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import Completion, fold
from chat2api.dialects.openai_responses import OpenAIResponses
from chat2api.dialects.openai_responses_stream import ResponsesStream
from chat2api.dialects.protocol import Dialect, Stamp
from chat2api.errors import ErrorInfo, InternalError
from tests.schemas.check import check

NOW = 1_730_000_009.9
RESPONSES = OpenAIResponses(lambda: NOW)
DIALECT: Dialect = RESPONSES
STAMP = Stamp("resp_AbC", 1_730_000_000)
USAGE = Usage(9, 12)


def rendered(*events: Event) -> dict[str, object]:
    ask = DIALECT.parse({"model": "m", "input": "Hi", "tools": [{"type": "function", "name": "f"}]})
    return DIALECT.render(ask, STAMP, [fold(events)])


def test_a_plain_answer() -> None:
    response = rendered(TextDelta("Hello"), TextDelta(" there."), USAGE, Finish("stop"))
    check("response", response)
    assert response["status"] == "completed"
    assert (response["created_at"], response["completed_at"]) == (1_730_000_000, 1_730_000_009)
    assert response["output"] == [
        {
            "id": "msg_AbC100000",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "Hello there.", "annotations": [], "logprobs": []}
            ],
        }
    ]


def test_items_stand_in_the_order_they_came() -> None:
    response = rendered(
        TextDelta("a"),
        ToolCallDelta(0, "call_1", "f"),
        TextDelta("b"),
        RefusalDelta("c"),
        USAGE,
        Finish("tool_calls"),
    )
    check("response", response)
    output = response["output"]
    assert isinstance(output, list)
    assert [item["type"] for item in output] == ["message", "function_call", "message"]
    assert [part["type"] for part in output[2]["content"]] == ["output_text", "refusal"]


@pytest.mark.parametrize(
    "events",
    [[TextDelta("a")], [TextDelta("a"), Failure(ErrorInfo(502, "server_error", None, "x"))]],
)
def test_a_broken_answer_is_not_told_as_a_whole_one(events: list[Event]) -> None:
    with pytest.raises(InternalError):
        rendered(*events)
    assert fold(events) != Completion()


def test_streams_and_errors() -> None:
    ask = RESPONSES.parse(
        {"input": "Hi", "previous_response_id": "resp_1"}, [{"role": "user", "content": "A"}]
    )
    assert [message.text for message in ask.conversation.messages] == ["A", "Hi"]
    assert isinstance(DIALECT.renderer(ask, STAMP), ResponsesStream)
    assert RESPONSES.single_writes
    error = {"message": "x", "type": "server_error", "param": None, "code": "c"}
    assert DIALECT.render_error(ErrorInfo(500, "server_error", "c", "x")) == {"error": error}
