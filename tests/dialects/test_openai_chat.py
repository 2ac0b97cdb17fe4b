"""Whole answers: what is folded from events, told as the public API tells it."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from chat2api.chat.events import (
    Citation,
    Event,
    Finish,
    FinishReason,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import fold
from chat2api.dialects.openai_chat import OpenAIChat
from chat2api.dialects.openai_chat_stream import ChatStream
from chat2api.dialects.protocol import Dialect, Stamp
from chat2api.errors import ErrorInfo, InternalError

DIALECT: Dialect = OpenAIChat()
STAMP = Stamp("chatcmpl-1", 1_730_000_000)
USAGE = Usage(prompt_tokens=9, completion_tokens=12, reasoning_tokens=4, cached_tokens=2)
STOP = Finish("stop")


def rendered(*choices: list[Event], **fields: Any) -> dict[str, Any]:
    ask = DIALECT.parse(
        {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **fields}
    )
    return DIALECT.render(ask, STAMP, [fold(events) for events in choices])


def message(*events: Event) -> dict[str, Any]:
    content: dict[str, Any] = rendered([*events, STOP])["choices"][0]["message"]
    return content


def test_a_plain_answer() -> None:
    assert rendered([TextDelta("Hello"), TextDelta(" there."), USAGE, STOP]) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_730_000_000,
        "model": "gpt-4o",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello there.",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 12,
            "total_tokens": 21,
            "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 4,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }


def test_the_model_is_called_as_the_caller_called_it() -> None:
    assert rendered([STOP], model=None)["model"] == "auto"


def test_several_choices_share_one_prompt() -> None:
    answer = rendered(
        [TextDelta("one"), Usage(9, 1), STOP], [TextDelta("two"), Usage(9, 2), Finish("length")]
    )
    assert [
        (choice["index"], choice["message"]["content"], choice["finish_reason"])
        for choice in answer["choices"]
    ] == [(0, "one", "stop"), (1, "two", "length")]
    assert answer["usage"]["prompt_tokens"] == 9
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["usage"]["total_tokens"] == 12


def test_usage_nobody_knows_is_not_made_up() -> None:
    assert rendered([TextDelta("x"), STOP])["usage"] is None


def test_reasoning_stands_apart_from_the_answer() -> None:
    assert message(ReasoningDelta("6 x "), ReasoningDelta("7"), TextDelta("42")) == {
        "role": "assistant",
        "content": "42",
        "refusal": None,
        "annotations": [],
        "reasoning_content": "6 x 7",
    }


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_finish_reasons(reason: FinishReason) -> None:
    assert rendered([TextDelta("x"), Finish(reason)])["choices"][0]["finish_reason"] == reason


def test_tool_calls() -> None:
    assert message(
        ToolCallDelta(0, "call_1", "search"),
        ToolCallDelta(0, arguments='{"q":'),
        ToolCallDelta(1, "call_2", "now", "{}"),
        ToolCallDelta(0, arguments='"x"}'),
    ) == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "search", "arguments": '{"q":"x"}'},
            },
            {"id": "call_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
        ],
    }


def test_calls_of_custom_tools() -> None:
    told = message(
        TextDelta("Look: "),
        ToolCallDelta(0, "call_1", "sql", custom=True),
        ToolCallDelta(0, arguments="SELECT 1"),
    )
    custom = {"name": "sql", "input": "SELECT 1"}
    assert told["content"] == "Look: "
    assert told["tool_calls"] == [{"id": "call_1", "type": "custom", "custom": custom}]


LEGACY: dict[str, Any] = {"functions": [{"name": "search"}]}


def test_a_legacy_request_hears_of_one_call() -> None:
    (choice,) = rendered(
        [
            ToolCallDelta(0, "call_1", "search", '{"q":1}'),
            ToolCallDelta(1, "call_2", "search", "{}"),
            Finish("tool_calls"),
        ],
        **LEGACY,
    )["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "function_call": {"name": "search", "arguments": '{"q":1}'},
    }


def test_a_legacy_request_whose_answer_is_text() -> None:
    (choice,) = rendered([TextDelta("No need."), STOP], **LEGACY)["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("stop", "No need.")
    assert "function_call" not in choice["message"]


def test_a_refusal_is_no_content() -> None:
    told = message(RefusalDelta("I "), RefusalDelta("won't."))
    assert (told["content"], told["refusal"]) == (None, "I won't.")


def test_an_answer_without_a_word_is_an_empty_text() -> None:
    assert message()["content"] == ""


def test_pictures_stand_where_they_came() -> None:
    content = message(TextDelta("Here:\n"), ImageRef("sediment://file_1"), TextDelta("Nice?"))
    assert content["content"] == (
        "Here:\n![image: downloading pictures arrives in a later version](sediment://file_1)\nNice?"
    )


def test_citations_point_into_the_text() -> None:
    content = message(
        TextDelta("Two moons ([Moons of Mars]"),
        TextDelta("(https://example.org/mars))."),
        Citation("https://example.org/mars", "Moons of Mars"),
        Citation("https://example.org/other", "Not in the text"),
    )
    (annotation,) = content["annotations"]
    citation = annotation["url_citation"]
    assert annotation == {
        "type": "url_citation",
        "url_citation": {
            "url": "https://example.org/mars",
            "title": "Moons of Mars",
            "start_index": 11,
            "end_index": 52,
        },
    }
    assert content["content"][citation["start_index"] : citation["end_index"]] == (
        "[Moons of Mars](https://example.org/mars)"
    )


def test_a_kept_conversation_can_be_continued() -> None:
    answer = rendered([Thread("c1"), TextDelta("x"), Thread("c1", "m1"), STOP])
    assert (answer["conversation_id"], answer["message_id"]) == ("c1", "m1")


def test_a_thread_without_a_message_yet() -> None:
    answer = rendered([Thread("c1"), STOP])
    assert answer["conversation_id"] == "c1"
    assert "message_id" not in answer


def test_a_broken_answer_is_never_told_as_a_whole_one() -> None:
    with pytest.raises(InternalError):
        rendered([TextDelta("half an ans")])


# --- judged by the official client

# The keys of a real reply of the public API, retyped.
REAL_KEYS = {
    "": {
        *("id", "object", "created", "model", "choices", "usage"),
        *("service_tier", "system_fingerprint"),
    },
    "choice": {"index", "message", "logprobs", "finish_reason"},
    "message": {"role", "content", "refusal", "annotations"},
    "usage": {
        *("prompt_tokens", "completion_tokens", "total_tokens"),
        *("prompt_tokens_details", "completion_tokens_details"),
    },
}


def test_the_keys_are_those_of_a_real_reply() -> None:
    answer = rendered([TextDelta("x"), USAGE, STOP])
    (choice,) = answer["choices"]
    assert {
        "": set(answer),
        "choice": set(choice),
        "message": set(choice["message"]),
        "usage": set(answer["usage"]),
    } == REAL_KEYS


def test_the_official_types_take_the_fullest_answer() -> None:
    answer = rendered(
        [
            Thread("c1", "m1"),
            ReasoningDelta("hm"),
            TextDelta("See [A](https://a.test)."),
            Citation("https://a.test", "A"),
            ToolCallDelta(0, "call_1", "f", "{}"),
            USAGE,
            Finish("tool_calls"),
        ]
    )
    parsed = ChatCompletion.model_validate(answer, strict=True)
    (choice,) = parsed.choices
    assert parsed.model_extra == {"conversation_id": "c1", "message_id": "m1"}
    assert choice.model_extra == {}
    assert choice.message.model_extra == {"reasoning_content": "hm"}
    assert parsed.usage is not None
    assert parsed.usage.model_extra == {}
    assert choice.message.annotations is not None
    assert choice.message.annotations[0].url_citation.title == "A"


# --- the rest of the dialect


def test_errors_have_the_four_keys() -> None:
    info = ErrorInfo(400, "invalid_request_error", "invalid_value", "Say n.", "n", 5.0)
    assert DIALECT.render_error(info) == {
        "error": {
            "message": "Say n.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_value",
        }
    }


def test_streams_are_drawn_by_chat_stream() -> None:
    ask = DIALECT.parse({"messages": [{"role": "user", "content": "Hi"}], "stream": True})
    assert isinstance(DIALECT.renderer(ask, STAMP), ChatStream)


def test_its_names() -> None:
    assert (DIALECT.name, DIALECT.id_prefix) == ("openai_chat", "chatcmpl-")
