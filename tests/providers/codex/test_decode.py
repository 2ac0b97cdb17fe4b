"""Events of the backend in, chat events out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.chat.events import (
    Citation,
    Event,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import fold
from chat2api.codecs.sse import SseRecord
from chat2api.errors import Chat2ApiError, UpstreamBadResponse, UpstreamTruncated
from chat2api.providers.codex.decode import TurnDecoder
from chat2api.providers.codex.refusals import classify

CREATED = {
    "type": "response.created",
    "response": {"id": "resp_t1", "status": "in_progress", "output": []},
}
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 16,
}
USED = Usage(9, 7, reasoning_tokens=5, cached_tokens=4, estimated=False)


def completed(*output: Any, usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    response = {"id": "r", "status": "completed", "output": list(output), "usage": usage, **more}
    return {"type": "response.completed", "response": response}


def on(kind: str, index: int, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": index, **more}


def added(index: int, **item: Any) -> dict[str, Any]:
    return on("output_item.added", index, item=item)


def done(index: int, **item: Any) -> dict[str, Any]:
    return on("output_item.done", index, item=item)


def text(index: int, delta: str) -> dict[str, Any]:
    return on("output_text.delta", index, content_index=0, delta=delta)


def summary(index: int, number: int, delta: str) -> dict[str, Any]:
    return on("reasoning_summary_text.delta", index, summary_index=number, delta=delta)


def message(index: int, said: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": said, "annotations": [], **more}]
    return done(index, id=f"msg_{index}", type="message", role="assistant", content=content)


def call(call_id: str, arguments: str, kind: str = "function_call") -> dict[str, Any]:
    key = "arguments" if kind == "function_call" else "input"
    return {"id": f"fc_{call_id}", "type": kind, "call_id": call_id, "name": "look", key: arguments}


def decoder(meant: dict[str, str] | None = None) -> TurnDecoder:
    return TurnDecoder(lambda told: classify(200, {}, told, 0.0), meant, lambda text: f"s:{text}")


def read(*events: Any, meant: dict[str, str] | None = None) -> list[Event]:
    found, reader = [], decoder(meant)
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        found += reader.feed(SseRecord("message", data))
    reader.close()
    return found


def failure(*events: Any) -> Chat2ApiError:
    with pytest.raises(Chat2ApiError) as caught:
        read(*events)
    return caught.value


THOUGHT = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "Thinking"}],
    "encrypted_content": "gAAAAAB",
}


def test_text_after_reasoning() -> None:
    assert read(
        {"type": "codex.rate_limits"},
        CREATED,
        {"type": "response.in_progress", "response": {}},
        added(0, id="rs_1", type="reasoning", summary=[]),
        summary(0, 0, "Think"),
        summary(0, 0, "ing"),
        on("reasoning_summary_text.done", 0, summary_index=0, text="Thinking"),
        done(0, **THOUGHT),
        added(1, id="msg_1", type="message", content=[]),
        text(1, "Hel"),
        text(1, "lo"),
        on("output_text.done", 1, content_index=0, text="Hello"),
        message(1, "Hello"),
        completed(),
        "[DONE]",
    ) == [
        ReasoningDelta("Think"),
        ReasoningDelta("ing"),
        ReasoningDelta("", "s:gAAAAAB"),
        TextDelta("Hel"),
        TextDelta("lo"),
        USED,
        Finish("stop"),
    ]


def test_parts_of_a_summary_are_paragraphs() -> None:
    told = fold(
        read(
            summary(0, 0, "One"),
            summary(0, 1, "Two"),
            done(0, type="reasoning", summary=[{"text": "One"}, {"text": "Two"}, {"text": "3"}]),
            done(1, type="reasoning", summary=[{"type": "summary_text", "text": "Four"}]),
            message(2, "So."),
            completed(),
        )
    )
    assert told.reasoning == "One\n\nTwo\n\n3\n\nFour"


def test_raw_reasoning() -> None:
    assert read(on("reasoning_text.delta", 0, delta="Hm"), completed(usage=None)) == [
        ReasoningDelta("Hm"),
        Finish("stop"),
    ]


def test_several_messages_are_set_apart() -> None:
    told = fold(read(text(0, "Wait"), message(0, "Wait."), message(1, "Done."), completed()))
    assert told.text == "Wait.\n\nDone."


def test_refusals() -> None:
    refused = {"type": "refusal", "refusal": "I can't"}
    assert read(
        on("refusal.delta", 0, content_index=0, delta="I "),
        done(0, type="message", content=[refused]),
        completed(usage=None),
    ) == [RefusalDelta("I "), RefusalDelta("can't"), Finish("stop")]


def test_sources_are_told_once() -> None:
    source = {"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0}
    assert read(
        text(0, "See x."),
        on("output_text.annotation.added", 0, annotation=source),
        message(0, "See x.", annotations=[source, {"type": "file_citation"}, {**source, "url": 1}]),
        completed(usage=None),
    ) == [TextDelta("See x."), Citation("https://x.test", "X"), Finish("stop")]


# --- calls


def test_a_call_as_it_grows() -> None:
    assert read(
        added(0, **call("call_1", "")),
        on("function_call_arguments.delta", 0, item_id="fc_call_1", delta='{"city":'),
        on("function_call_arguments.delta", 0, item_id="fc_call_1", delta='"Oslo"}'),
        on("function_call_arguments.done", 0, arguments='{"city":"Oslo"}'),
        done(0, **call("call_1", '{"city":"Oslo"}')),
        completed(usage=None),
    ) == [
        ToolCallDelta(0, "call_1", "look"),
        ToolCallDelta(0, arguments='{"city":'),
        ToolCallDelta(0, arguments='"Oslo"}'),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call"])
@pytest.mark.parametrize("skipped", range(4))
def test_whatever_is_missing_a_call_comes_whole(kind: str, skipped: int) -> None:
    field = "arguments" if kind == "function_call" else "input"
    event = "function_call_arguments" if kind == "function_call" else "custom_tool_call_input"
    events = [
        added(0, **call("c", "", kind)),
        on(f"{event}.delta", 0, delta="{}"),
        on(f"{event}.done", 0, **{field: "{}"}),
        done(0, **call("c", "{}", kind)),
    ]
    del events[skipped]
    (made,) = fold(read(*events, completed())).tool_calls
    assert (made.call_id, made.name, made.arguments) == ("c", "look", "{}")
    assert made.custom is (kind == "custom_tool_call")


def test_calls_side_by_side() -> None:
    told = fold(
        read(
            added(1, **call("a", "")),
            added(2, **call("b", "")),
            on("function_call_arguments.delta", 2, delta="[2"),
            on("function_call_arguments.delta", 1, delta="[1"),
            done(1, **call("a", "[1]")),
            done(2, **call("b", "[2]")),
            completed(),
        )
    )
    assert [(one.call_id, one.arguments) for one in told.tool_calls] == [("a", "[1]"), ("b", "[2]")]


def test_callers_know_tools_by_their_own_names() -> None:
    (first, *_) = read(done(0, **call("a", "{}")), completed(), meant={"look": "mcp.look"})
    assert first == ToolCallDelta(0, "a", "mcp.look")


# --- pictures and tools of its own


def test_a_picture() -> None:
    drawn = {"type": "image_generation_call", "result": "AAAA", "revised_prompt": "A cat."}
    assert read(
        added(0, type="image_generation_call"),
        on("image_generation_call.partial_image", 0, partial_image_b64="AA"),
        done(0, **drawn, output_format="webp", size="1536x1024"),
        done(1, type="image_generation_call", result=None, status="failed"),
        completed(usage=None),
    ) == [ImageRef("data:image/webp;base64,AAAA", 1536, 1024, "A cat."), Finish("stop")]


def test_searches_are_no_calls_of_the_callers() -> None:
    assert read(
        added(0, type="web_search_call"),
        on("web_search_call.searching", 0),
        done(0, type="web_search_call", status="completed"),
        completed(usage=None),
    ) == [Finish("stop")]


# --- the end


ITEMS = [
    THOUGHT,
    {"id": "m", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
    call("a", "{}"),
]


def test_items_that_only_the_end_tells_of() -> None:
    expected = [
        ReasoningDelta("Thinking"),
        ReasoningDelta("", "s:gAAAAAB"),
        TextDelta("Hi"),
        ToolCallDelta(0, "a", "look"),
        ToolCallDelta(0, arguments="{}"),
        USED,
        Finish("tool_calls"),
    ]
    assert read(completed(*ITEMS)) == expected
    piecemeal = [done(index, **item) for index, item in enumerate(ITEMS)]
    assert read(*piecemeal, completed()) == expected
    assert read(*piecemeal, completed(*ITEMS)) == expected
    assert read(*piecemeal, completed(*ITEMS[1:])) == expected, "known by their ids"
    assert read(*piecemeal[:2], completed(*ITEMS)) == expected


def test_reasoning_without_an_answer_is_told_before_the_end() -> None:
    assert read(done(0, **{**THOUGHT, "summary": []}), completed(usage=None)) == [
        ReasoningDelta("", "s:gAAAAAB"),
        Finish("stop"),
    ]


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
@pytest.mark.parametrize("kind", ["response.incomplete", "response.completed"])
def test_answers_that_are_cut(reason: str, finish: str, kind: str) -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": reason}, "usage": USAGE}
    events = read(text(0, "Hi"), {"type": kind, "response": response})
    assert [type(event) for event in events] == [TextDelta, Usage, Finish]
    assert events[-1] == Finish(finish)  # type: ignore[arg-type]


@pytest.mark.parametrize("details", [None, {}, {"reason": "other"}])
def test_answers_that_are_cut_for_no_reason_we_know(details: Any) -> None:
    cut = {"type": "response.incomplete", "response": {"incomplete_details": details}}
    assert isinstance(failure(text(0, "Hi"), cut), UpstreamTruncated)


@pytest.mark.parametrize(
    ("usage", "used"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": "9"}, None),
        ({"input_tokens": 3}, Usage(3, 0, estimated=False)),
        (
            {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": None},
            Usage(3, 2, estimated=False),
        ),
    ],
)
def test_figures(usage: Any, used: Usage | None) -> None:
    found = read(completed(usage=usage))
    assert found == ([used] if used else []) + [Finish("stop")]


def test_nothing_counts_after_the_end() -> None:
    assert read(completed(usage=None), text(0, "more"), completed(), {"type": "error"}) == [
        Finish("stop")
    ]


def test_a_stream_that_does_not_end() -> None:
    for events in ([], [CREATED], [CREATED, text(0, "Hi")]):
        assert isinstance(failure(*events), UpstreamTruncated)


# --- failures


@pytest.mark.parametrize(
    "event",
    [
        {
            "type": "response.failed",
            "response": {"error": {"code": "server_is_overloaded", "message": "x"}},
        },
        {"type": "error", "code": "server_is_overloaded", "message": "x", "param": None},
        {
            "type": "error",
            "error": {"type": "service_unavailable_error", "code": "server_is_overloaded"},
            "sequence_number": 3,
        },
        {"error": {"code": "server_is_overloaded", "message": "x"}},
        completed(status="failed", error={"code": "server_is_overloaded"}),
    ],
)
def test_an_overload_in_every_spelling_is_told_before_anything_else(event: Any) -> None:
    """Nothing of what opened the stream came out, so another account may be tried."""
    reader = decoder()
    opening = [CREATED, added(0, type="reasoning"), done(0, **{**THOUGHT, "summary": []})]
    for one in opening:
        assert reader.feed_event(one) == []
    with pytest.raises(UpstreamBadResponse) as caught:
        reader.feed_event(event)
    assert caught.value.status == 503
    assert caught.value.another_account_helps


def test_failures_after_the_beginning() -> None:
    limit = {"code": "rate_limit_exceeded", "message": "Try again in 20s."}
    error = failure(text(0, "Hi"), {"type": "response.failed", "response": {"error": limit}})
    assert (error.code, error.retry_after) == ("rate_limit_exceeded", 20)
    assert failure({"type": "response.failed", "response": None}).code == "upstream_bad_response"
    assert failure({"type": "error"}).code == "upstream_bad_response"
    assert failure({"detail": "Unauthorized"}).code == "upstream_bad_response"


def test_a_policy_ends_an_answer_that_has_begun() -> None:
    policy = {"type": "response.failed", "response": {"error": {"code": "cyber_policy"}}}
    assert failure(CREATED, policy).code == "content_policy_violation"
    assert read(text(0, "Hi"), policy) == [TextDelta("Hi"), Finish("content_filter")]


# --- what makes no sense


def test_nonsense_is_skipped() -> None:
    reader = decoder()
    for data in ("{", "[1]", "null", "3", '{"a": 1}'):
        assert reader.feed(SseRecord("message", data)) == []
    assert reader.skipped == 5
    for event in (
        text(0, "x") | {"delta": None},
        on("output_item.done", 0, item=None),
        on("output_item.added", 0, item={"type": "function_call"}),
        on("function_call_arguments.done", 5, arguments=None),
        on("function_call_arguments.delta", 5, delta="lost"),
        on("output_text.annotation.added", 0, annotation="x"),
        {"type": "response.from.the.future"},
        {"type": "codex.rate_limits", "rate_limits": None},
    ):
        assert reader.feed_event(event) == []
    assert reader.limits is not None


def test_only_nonsense_is_a_failure() -> None:
    assert isinstance(failure(*["{"] * 20), UpstreamBadResponse)
    assert read(*(["{"] * 19), CREATED, *(["{"] * 19), completed(usage=None)) == [Finish("stop")]


def test_events_that_are_only_named_by_their_frame() -> None:
    reader = decoder()
    unnamed = json.dumps({"output_index": 0, "delta": "Hi"})
    assert reader.feed(SseRecord("response.output_text.delta", unnamed)) == [TextDelta("Hi")]
