"""Streamed answers: pairs of events and frames, and laws that hold for any events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from chat2api.chat.conversation import Conversation
from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
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
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo

STAMP = Stamp("chatcmpl-1", 1_730_000_000)
CONVERSATION = Conversation('gpt-4o "quoted" é', ())
STOP = Finish("stop")
DONE = b"data: [DONE]\n\n"
ENVELOPE = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1_730_000_000,
    "model": 'gpt-4o "quoted" é',
    "service_tier": "default",
    "system_fingerprint": None,
}
ROLE = {"role": "assistant", "content": "", "refusal": None}
BROKEN = ErrorInfo(400, "invalid_request_error", "upstream_truncated", "It broke off.", None, 3.0)


def stream(choices: int = 1, *, include_usage: bool = False) -> ChatStream:
    return ChatStream(Ask(CONVERSATION, True, choices, include_usage), STAMP)


def frame(delta: dict[str, Any], reason: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk, written the obvious way."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
    return b"data: %b\n\n" % orjson.dumps({**ENVELOPE, "choices": [choice], **more})


def frames(*deltas: dict[str, Any]) -> bytes:
    return b"".join(map(frame, deltas))


def call_opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    opened = {"name": name, "arguments": ""}
    call = {"index": index, "id": call_id, "type": "function", "function": opened}
    return {"tool_calls": [call]}


def custom_opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    opened = {"name": name, "input": ""}
    return {"tool_calls": [{"index": index, "id": call_id, "type": "custom", "custom": opened}]}


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([TextDelta("Hel"), TextDelta("lo")], frames(ROLE, {"content": "Hello"})),
        ([TextDelta("")], b""),
        ([ReasoningDelta("hm")], frames(ROLE, {"reasoning_content": "hm"})),
        (
            [
                ReasoningDelta("a"),
                ReasoningDelta("b"),
                TextDelta("c"),
                TextDelta("d"),
                ReasoningDelta("e"),
            ],
            frames(
                ROLE,
                {"reasoning_content": "ab"},
                {"content": "cd"},
                {"reasoning_content": "e"},
            ),
        ),
        (
            [TextDelta("See:\n"), ImageRef("sediment://file_1"), TextDelta("!")],
            frames(
                ROLE,
                {
                    "content": "See:\n![image: downloading pictures arrives in a later version]"
                    "(sediment://file_1)\n!"
                },
            ),
        ),
        (
            [
                TextDelta("x"),
                ToolCallDelta(0, "call_1", "search"),
                ToolCallDelta(0, arguments='{"q":1}'),
                ToolCallDelta(1, "call_2", "now", "{}"),
            ],
            frames(
                ROLE,
                {"content": "x"},
                call_opened(0, "call_1", "search"),
                {"tool_calls": [{"index": 0, "function": {"arguments": '{"q":1}'}}]},
                call_opened(1, "call_2", "now"),
                {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
            ),
        ),
        (
            [RefusalDelta("I "), RefusalDelta("won't."), STOP],
            frames(ROLE, {"refusal": "I won't."}) + frame({}, "stop"),
        ),
        ([STOP], frame(ROLE) + frame({}, "stop")),
        (
            [TextDelta("x"), Finish("length"), TextDelta("late"), STOP],
            frames(ROLE, {"content": "x"}) + frame({}, "length"),
        ),
        ([Citation("https://a.test", "A")], b""),
        ([Usage(1, 2)], b""),
    ],
)
def test_events_and_their_frames(events: list[Event], expected: bytes) -> None:
    assert stream().feed(0, events) == expected


def test_a_legacy_request_is_told_in_its_own_words() -> None:
    drawn = ChatStream(Ask(CONVERSATION, True, legacy_functions=True), STAMP)
    assert drawn.feed(0, [ToolCallDelta(0, "call_1", "search", "{}"), Finish("tool_calls")]) == (
        frames(
            ROLE,
            {"function_call": {"name": "search", "arguments": ""}},
            {"function_call": {"arguments": "{}"}},
        )
        + frame({}, "function_call")
    )


def test_each_choice_counts_its_own_calls() -> None:
    drawn = stream(2)
    custom, plain = ToolCallDelta(0, "a", "sql", custom=True), ToolCallDelta(0, "b", "now")
    assert drawn.feed(0, [custom]) == frames(ROLE, custom_opened(0, "a", "sql"))
    assert drawn.feed(1, [plain]) == (
        frame(ROLE, index=1) + frame(call_opened(0, "b", "now"), index=1)
    )


def test_warnings_stand_beside_the_finish_reason() -> None:
    drawn = stream(include_usage=True)
    finish = Finish("stop", notes=("tool_call_invalid", "other"))
    warned = {"chat2api": {"warnings": ["tool_call_invalid", "other"]}}
    assert drawn.feed(0, [Thread("c1"), TextDelta("a"), finish]) == (
        frame(ROLE, usage=None, conversation_id="c1")
        + frame({"content": "a"}, usage=None, conversation_id="c1")
        + frame({}, "stop", usage=None, conversation_id="c1", **warned)
    )


def test_the_role_comes_once() -> None:
    drawn = stream()
    assert drawn.feed(0, [TextDelta("a")]) == frames(ROLE, {"content": "a"})
    assert drawn.feed(0, [TextDelta("b")]) == frame({"content": "b"})
    assert drawn.feed(0, [TextDelta("")]) == b""
    assert drawn.feed(0, []) == b""


def test_the_ids_stand_on_every_frame_once_they_are_known() -> None:
    drawn = stream(include_usage=True)
    empty: dict[str, Any] = {"usage": None}
    known = {**empty, "conversation_id": "c1"}
    full = {**known, "message_id": "m1"}
    assert drawn.feed(0, [TextDelta("a"), Thread("c1")]) == (
        frame(ROLE, **empty) + frame({"content": "a"}, **empty)
    )
    assert drawn.feed(0, [TextDelta("b")]) == frame({"content": "b"}, **known)
    assert drawn.feed(0, [Thread("c1", "m1")]) == b""
    assert drawn.feed(0, [TextDelta("c"), STOP]) == (
        frame({"content": "c"}, **full) + frame({}, "stop", **full)
    )


def test_a_thread_opens_the_answer() -> None:
    assert stream().feed(0, [Thread("c1")]) == frame(ROLE, conversation_id="c1")


def test_usage_comes_last_and_is_null_before() -> None:
    drawn = stream(include_usage=True)
    body = drawn.feed(0, [TextDelta("a"), Usage(9, 12, 4, 2), STOP]) + drawn.close()
    usage = {
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
    }
    assert body == (
        frame(ROLE, usage=None)
        + frame({"content": "a"}, usage=None)
        + frame({}, "stop", usage=None)
        + b"data: %b\n\n" % orjson.dumps({**ENVELOPE, "choices": [], "usage": usage})
        + DONE
    )


def test_without_include_usage_there_is_no_usage() -> None:
    drawn = stream()
    body = drawn.feed(0, [TextDelta("a"), Usage(9, 12), STOP]) + drawn.close()
    assert b"usage" not in body
    assert body.endswith(DONE)


def test_choices_are_told_apart_by_index() -> None:
    drawn = stream(2, include_usage=True)
    null: dict[str, Any] = {"usage": None}
    assert drawn.feed(1, [TextDelta("b")]) == (
        frame(ROLE, index=1, **null) + frame({"content": "b"}, index=1, **null)
    )
    assert drawn.feed(0, [TextDelta("a"), Usage(9, 1), STOP]) == (
        frame(ROLE, **null) + frame({"content": "a"}, **null) + frame({}, "stop", **null)
    )
    assert drawn.feed(1, [Usage(9, 2), Finish("length")]) == frame({}, "length", 1, **null)
    last, done = drawn.close().split(b"\n\n", 1)
    usage = orjson.loads(last.removeprefix(b"data: "))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (9, 3)
    assert done == DONE


def test_each_choice_carries_its_own_conversation() -> None:
    drawn = stream(2)
    drawn.feed(0, [Thread("c0")])
    drawn.feed(1, [Thread("c1")])
    assert drawn.feed(0, [TextDelta("a")]) == frame({"content": "a"}, conversation_id="c0")
    assert drawn.feed(1, [TextDelta("b")]) == frame({"content": "b"}, index=1, conversation_id="c1")


ERROR_FRAME = b"data: %b\n\n" % orjson.dumps(
    {
        "error": {
            "message": "It broke off.",
            "type": "server_error",
            "param": None,
            "code": "upstream_truncated",
        }
    }
)


def test_a_failure_is_the_last_thing_said() -> None:
    drawn = stream(include_usage=True)
    drawn.feed(0, [TextDelta("a")])
    assert drawn.feed(0, [TextDelta("b"), Failure(BROKEN), TextDelta("c")]) == (
        frame({"content": "b"}, usage=None) + ERROR_FRAME
    )
    assert drawn.feed(0, [TextDelta("d"), STOP]) == b""
    assert drawn.close() == b""
    assert drawn.beat() == b": keep-alive\n\n"


def test_a_failure_before_anything_else_stands_alone() -> None:
    assert stream().feed(0, [Failure(BROKEN)]) == ERROR_FRAME


def test_one_failed_choice_ends_them_all() -> None:
    drawn = stream(2)
    drawn.feed(0, [TextDelta("a"), STOP])
    drawn.feed(1, [Failure(BROKEN)])
    assert drawn.close() == b""


def test_an_answer_that_did_not_end_is_not_closed_as_if_it_had() -> None:
    drawn = stream(2)
    drawn.feed(0, [TextDelta("a"), STOP])
    drawn.feed(1, [TextDelta("b")])
    assert drawn.close() == b""


def test_a_beat_is_a_comment() -> None:
    assert stream().beat() == b": keep-alive\n\n"


@pytest.mark.parametrize(
    "text",
    [
        '"\\\n\r\t',
        "\x00\x1f\x7f\x85",
        "\u2028\u2029\x0b\x0c",
        "👩‍👩‍👧‍👦 é 中文",
        "data: [DONE]\n\n",
        "</script>",
    ],
)
def test_no_text_breaks_its_frame(text: str) -> None:
    body = stream().feed(0, [TextDelta(text)])
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks(body)] == ["", text]


# --- laws


def chunks(body: bytes) -> list[dict[str, Any]]:
    """The JSON of every data frame, read as plainly as SSE allows."""
    parts = body.split(b"\n\n")
    assert parts.pop() == b""
    assert all(part.startswith(b"data: ") and b"\n" not in part for part in parts)
    return [orjson.loads(part[6:]) for part in parts if part != b"data: [DONE]"]


texts = st.text(max_size=6)
middles = st.lists(
    st.one_of(
        texts.map(TextDelta),
        texts.map(ReasoningDelta),
        st.just(ImageRef("sediment://file_1")),
        st.just(Citation("https://a.test", "A")),
        st.sampled_from([Thread("c1"), Thread("c1", "m1")]),
        st.just(Usage(3, 4, 1)),
    ),
    max_size=12,
)
sizes = st.lists(st.integers(1, 4))


def batches(events: list[Event], sizes: list[int]) -> Iterable[list[Event]]:
    rest = list(events)
    for size in [*sizes, len(events)]:
        if rest:
            yield rest[:size]
            rest = rest[size:]


def told(events: list[Event], sizes: list[int]) -> list[dict[str, Any]]:
    drawn = stream(include_usage=True)
    body = b"".join(drawn.feed(0, batch) for batch in batches(events, sizes))
    return chunks(body + drawn.close())


@given(middles, sizes)
def test_a_stream_adds_up_to_the_whole_answer(middle: list[Event], sizes: list[int]) -> None:
    events = [*middle, STOP]
    answer = OpenAIChat().render(Ask(CONVERSATION), STAMP, [fold(events)])
    message = answer["choices"][0]["message"]
    said = told(events, sizes)
    deltas = [chunk["choices"][0]["delta"] for chunk in said if chunk["choices"]]
    assert deltas[0] == ROLE
    assert "".join(delta.get("content", "") for delta in deltas) == message["content"]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == message.get(
        "reasoning_content", ""
    )
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in said if chunk["choices"]]
    assert reasons == [None] * (len(reasons) - 1) + ["stop"]
    assert [chunk["usage"] for chunk in said if chunk["usage"]] == (
        [answer["usage"]] if answer["usage"] else []
    )


@given(middles, sizes)
def test_the_official_types_take_every_chunk(middle: list[Event], sizes: list[int]) -> None:
    for chunk in told([*middle, STOP], sizes):
        parsed = ChatCompletionChunk.model_validate(chunk, strict=True)
        assert parsed.object == "chat.completion.chunk"
        assert set(parsed.model_extra or {}) <= {"conversation_id", "message_id"}


def test_the_official_helper_puts_the_answer_together() -> None:
    events: list[Event] = [
        TextDelta("Let me "),
        TextDelta("look."),
        ToolCallDelta(0, "call_1", "get_weather"),
        ToolCallDelta(0, arguments='{"city":'),
        ToolCallDelta(0, arguments='"Oslo"}'),
        Usage(9, 12),
        Finish("tool_calls"),
    ]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in told(events, [1] * len(events)):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    completion = state.get_final_completion()
    (choice,) = completion.choices
    assert choice.message.content == "Let me look."
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert (call.id, call.function.name) == ("call_1", "get_weather")
    assert call.function.arguments == '{"city":"Oslo"}'
    assert completion.usage is not None
    assert completion.usage.total_tokens == 21


@given(st.lists(texts, min_size=1))
def test_the_short_way_of_a_lone_text_draws_the_same(words: list[str]) -> None:
    short, long = stream(), stream()
    short.feed(0, [Thread("c1")])
    long.feed(0, [Thread("c1")])
    for word in words:
        # An empty neighbour keeps the second stream from taking the short way.
        assert short.feed(0, [TextDelta(word)]) == long.feed(0, [TextDelta(word), TextDelta("")])


def test_the_keys_of_a_chunk_are_those_of_a_real_one() -> None:
    drawn = stream(include_usage=True)
    (role, text) = chunks(drawn.feed(0, [TextDelta("a")]))
    assert set(role) == {
        *("id", "object", "created", "model", "service_tier", "system_fingerprint"),
        *("choices", "usage"),
    }
    assert set(role["choices"][0]) == {"index", "delta", "logprobs", "finish_reason"}
    assert set(role["choices"][0]["delta"]) == {"role", "content", "refusal"}
    assert set(text["choices"][0]["delta"]) == {"content"}
