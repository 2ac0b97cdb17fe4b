"""Streamed Responses answers: the order of events, and laws that hold for any events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

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
from chat2api.dialects.openai_responses import OpenAIResponses
from chat2api.dialects.openai_responses_stream import QUIET_SECONDS, ResponsesStream
from chat2api.dialects.protocol import Stamp
from chat2api.errors import ErrorInfo
from tests.schemas.check import check_response_events, check_stream
from tests.schemas.frames import Frame, Streamed
from tests.schemas.responses_stream import follow

STAMP = Stamp("resp_AbC", 1_730_000_000)
NOW = 1_730_000_009
USAGE = Usage(9, 12, 4, 2)
STOP = Finish("stop")
BROKEN = ErrorInfo(502, "server_error", "upstream_truncated", "It broke off.")
TOOLS = [
    {"type": "function", "name": "f"},
    {"type": "custom", "name": "c"},
    {
        "type": "namespace",
        "name": "n",
        "description": "N",
        "tools": [{"type": "function", "name": "g"}],
    },
]
BEGIN = ["created", "in_progress"]
TEXT = ["output_item.added", "content_part.added", "output_text.delta"]
TEXT_DONE = ["output_text.done", "content_part.done", "output_item.done"]
CALL = ["output_item.added", "function_call_arguments.delta"]
CALL_DONE = ["function_call_arguments.done", "output_item.done"]


class Clock:
    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def stream(clock: Clock | None = None, **fields: Any) -> ResponsesStream:
    dialect = OpenAIResponses(clock or Clock())
    ask = dialect.parse({"model": "m", "input": "Hi", "stream": True, "tools": TOOLS, **fields})
    return dialect.renderer(ask, STAMP)


def drawn(*batches: Sequence[Event]) -> list[dict[str, Any]]:
    """The events of one answer, each batch fed at once."""
    renderer = stream()
    return [orjson.loads(event) for events in batches for event in renderer.events(events)]


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


# --- pairs


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([STOP], [*BEGIN, "completed"]),
        ([TextDelta(""), ReasoningDelta(""), Thread("c"), USAGE], []),
        ([TextDelta("a"), STOP], [*BEGIN, *TEXT, *TEXT_DONE, "completed"]),
        (
            [ReasoningDelta("a"), TextDelta("b"), STOP],
            [
                *BEGIN,
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
                *TEXT,
                *TEXT_DONE,
                "completed",
            ],
        ),
        (
            [
                TextDelta("a"),
                ToolCallDelta(0, "1", "f", "{}"),
                ToolCallDelta(1, "2", "f", '{"a":1}'),
                TextDelta("b"),
                Finish("tool_calls"),
            ],
            [
                *BEGIN,
                *TEXT,
                *TEXT_DONE,
                *CALL,
                *CALL_DONE,
                *CALL,
                *CALL_DONE,
                *TEXT,
                *TEXT_DONE,
                "completed",
            ],
        ),
        (
            [ImageRef("data:image/png;base64,AA=="), STOP],
            [
                *BEGIN,
                "output_item.added",
                "image_generation_call.in_progress",
                "image_generation_call.generating",
                "image_generation_call.completed",
                "output_item.done",
                "completed",
            ],
        ),
        ([ImageRef("https://a.test/cat.png"), STOP], [*BEGIN, *TEXT, *TEXT_DONE, "completed"]),
        ([TextDelta("a"), Finish("length")], [*BEGIN, *TEXT, *TEXT_DONE, "incomplete"]),
        ([TextDelta("a"), Failure(BROKEN)], [*BEGIN, *TEXT, "failed"]),
        ([Failure(BROKEN)], [*BEGIN, "failed"]),
    ],
)
def test_events_in_order(events: list[Event], expected: list[str]) -> None:
    assert kinds(drawn(events)) == expected
    assert kinds(drawn(*([event] for event in events))) == expected


def test_the_first_events_hold_the_whole_object() -> None:
    created, in_progress = drawn([TextDelta("a")])[:2]
    assert created["response"] == in_progress["response"]
    assert created["response"]["status"] == "in_progress"
    assert created["response"]["output"] == []


def test_neighbours_share_a_delta() -> None:
    events = drawn([TextDelta("a"), TextDelta("b")], [TextDelta("c")])
    assert [event["delta"] for event in events if "delta" in event] == ["ab", "c"]


def test_a_lone_text_is_what_the_long_way_would_make_of_it() -> None:
    short, long = stream(), stream()
    short.events([TextDelta("a")])
    long.events([TextDelta("a")])
    assert short.events([TextDelta("é\n")]) == long.events([TextDelta("é\n"), TextDelta("")])
    assert short.feed(0, [TextDelta("b")]) == long.feed(0, [TextDelta("b"), TextDelta("")])


def test_calls_that_mix_stay_apart() -> None:
    batches: list[list[Event]] = [
        [ToolCallDelta(0, "1", "f", '{"a":')],
        [ToolCallDelta(1, "2", "g", '{"b":')],
        [ToolCallDelta(0, arguments="1}"), ToolCallDelta(1, arguments="2}")],
        [USAGE, Finish("tool_calls")],
    ]
    streamed = check_response_events(drawn(*batches))
    assert [(item["name"], item["arguments"]) for item in streamed.whole["output"]] == [
        ("f", '{"a":1}'),
        ("g", '{"b":2}'),
    ]
    assert streamed.whole["output"][1]["namespace"] == "n"


def test_more_of_a_call_that_is_done_is_dropped() -> None:
    events = drawn(
        [ToolCallDelta(0, "1", "f", "{}"), TextDelta("a"), ToolCallDelta(0, arguments="x")]
    )
    assert kinds(events) == [*BEGIN, *CALL, *CALL_DONE, *TEXT]


def test_a_custom_tool_is_called_with_text() -> None:
    call = ToolCallDelta(0, "1", "c", "*** Begin", custom=True)
    streamed = check_response_events(drawn([call, USAGE, Finish("tool_calls")]))
    assert streamed.whole["output"][0]["input"] == "*** Begin"


def test_sources_stand_in_the_text_they_belong_to() -> None:
    events = drawn(
        [
            TextDelta("[A](https://a.test)"),
            Citation("https://a.test", "A"),
            Citation("https://b.test", "B"),
            USAGE,
            STOP,
        ]
    )
    streamed = check_response_events(events)
    (annotation,) = streamed.whole["output"][0]["content"][0]["annotations"]
    assert (annotation["url"], annotation["start_index"], annotation["end_index"]) == (
        "https://a.test",
        0,
        19,
    )


def test_an_answer_that_was_cut_off_says_so() -> None:
    for_length = drawn([TextDelta("a"), USAGE, Finish("length")])[-1]["response"]
    assert for_length["status"] == "incomplete"
    assert for_length["incomplete_details"] == {"reason": "max_output_tokens"}
    assert for_length["completed_at"] is None
    assert for_length["output"][0]["status"] == "incomplete"
    filtered = drawn([Finish("content_filter")])[-1]["response"]
    assert filtered["incomplete_details"] == {"reason": "content_filter"}


def test_notes_reach_the_caller() -> None:
    response = drawn([Finish("stop", notes=("tool_call_invalid",))])[-1]["response"]
    assert response["chat2api"] == {"warnings": ["tool_call_invalid"]}


def test_a_failure_is_the_last_thing_said() -> None:
    renderer = stream()
    renderer.events([TextDelta("a"), ToolCallDelta(0, "1", "f", '{"a":')])
    last = renderer.events([Failure(BROKEN), TextDelta("c"), STOP])
    failed = orjson.loads(last[-1])
    assert kinds([orjson.loads(event) for event in last]) == ["failed"]
    assert failed["response"]["error"] == {"code": "server_error", "message": "It broke off."}
    assert failed["response"]["status"] == "failed"
    assert [item["status"] for item in failed["response"]["output"]] == ["completed", "incomplete"]
    assert renderer.events([TextDelta("d"), STOP]) == []
    assert renderer.pulse() == []
    assert renderer.close() == b""


def test_the_object_is_there_at_the_end_and_not_before() -> None:
    renderer = stream()
    renderer.events([TextDelta("a")])
    assert renderer.result is None
    last = renderer.events([STOP])[-1]
    assert renderer.result == orjson.loads(last)["response"]


def test_the_official_sdk_reads_the_object() -> None:
    events = [ReasoningDelta("a"), TextDelta("b"), ToolCallDelta(0, "1", "f", "{}"), USAGE, STOP]
    response = Response.model_validate(drawn(events)[-1]["response"])
    assert response.output_text == "b"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.usage is not None
    assert response.usage.total_tokens == 21


# --- on the wire


def test_frames_name_their_event() -> None:
    renderer = stream()
    body = renderer.feed(0, [TextDelta("a")]) + renderer.feed(0, [TextDelta("b"), USAGE, STOP])
    streamed = check_stream("responses", body + renderer.close())
    assert streamed.whole["output"][0]["content"][0]["text"] == "ab"
    assert b"[DONE]" not in body


def test_a_beat_is_a_comment_until_agents_grow_impatient() -> None:
    clock = Clock()
    renderer = stream(clock)
    body = renderer.feed(0, [TextDelta("a")])
    clock.now += QUIET_SECONDS - 1
    assert renderer.beat() == b": keep-alive\n\n"
    clock.now += 1
    pulse = renderer.beat()
    assert pulse.startswith(b"event: response.in_progress\n")
    assert renderer.beat() == b": keep-alive\n\n"
    clock.now += QUIET_SECONDS - 1
    body += pulse + renderer.feed(0, [TextDelta("b")])
    clock.now += QUIET_SECONDS - 1
    assert renderer.beat() == b": keep-alive\n\n"
    check_stream("responses", body + renderer.feed(0, [USAGE, STOP]))
    assert renderer.beat() == b": keep-alive\n\n"


def test_an_answer_may_begin_with_a_pulse() -> None:
    clock = Clock()
    renderer = stream(clock)
    clock.now += QUIET_SECONDS
    assert renderer.events([Thread("c")]) == []  # nothing that a client hears of
    events = [*renderer.pulse(), *renderer.events([TextDelta("a"), USAGE, STOP])]
    parsed = [orjson.loads(event) for event in events]
    assert kinds(parsed) == [*BEGIN, *TEXT, *TEXT_DONE, "completed"]
    check_response_events(parsed)


# --- laws

texts = st.text(max_size=6)
arguments = st.sampled_from(["", "{}", '{"a":1}'])


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = []
    calls = 0
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(
            st.sampled_from(
                ["text", "think", "refuse", "call", "custom", "image", "link", "source", "thread"]
            )
        )
        match kind:
            case "text":
                events.append(TextDelta(draw(texts)))
            case "think":
                events.append(ReasoningDelta(draw(texts)))
            case "refuse":
                events.append(RefusalDelta(draw(texts)))
            case "call" | "custom":
                custom = kind == "custom"
                said = draw(texts if custom else arguments)
                cut = draw(st.integers(0, len(said)))
                name = "c" if custom else draw(st.sampled_from(["f", "g"]))
                events.append(ToolCallDelta(calls, f"call_{calls}", name, custom=custom))
                events.append(ToolCallDelta(calls, arguments=said[:cut]))
                events.append(ToolCallDelta(calls, arguments=said[cut:]))
                calls += 1
            case "image":
                events.append(ImageRef("data:image/png;base64,AA=="))
            case "link":
                events.append(ImageRef("sediment://x"))
            case "source":
                events.append(TextDelta(" https://a.test "))
                events.append(Citation("https://a.test", "A"))
            case _:
                events.append(Thread("c"))
    reason = draw(st.sampled_from(["stop", "length", "content_filter", "tool_calls"]))
    return [*events, USAGE, Finish(reason)]


def cut_up(events: list[Event], places: list[int]) -> list[list[Event]]:
    ends = [*sorted(place % (len(events) + 1) for place in places), len(events)]
    starts = [0, *ends]
    return [events[start:end] for start, end in zip(starts, ends, strict=False)]


def followed(events: list[dict[str, Any]]) -> Streamed:
    """By the rules of order alone; the schemas are slow."""
    return follow([Frame(event["type"], event) for event in events])


@settings(max_examples=25)
@given(answers())
def test_every_event_has_its_shape(events: list[Event]) -> None:
    check_response_events(drawn(events))


@settings(max_examples=100)
@given(answers(), st.lists(st.integers(0, 100), max_size=5))
def test_whatever_the_cuts_the_stream_adds_up_to_the_whole_answer(
    events: list[Event], places: list[int]
) -> None:
    dialect = OpenAIResponses(Clock())
    ask = dialect.parse({"model": "m", "input": "Hi", "tools": TOOLS})
    whole = dialect.render(ask, STAMP, [fold(events)])
    streamed = followed(drawn(*cut_up(events, places)))
    assert streamed.whole == orjson.loads(orjson.dumps(whole))


@settings(max_examples=60)
@given(answers(), st.integers(0, 20))
def test_a_break_anywhere_leaves_a_stream_that_keeps_its_rules(
    events: list[Event], place: int
) -> None:
    streamed = followed(drawn(events[:-1][:place], [Failure(BROKEN)]))
    assert streamed.error == {"code": "server_error", "message": "It broke off."}
