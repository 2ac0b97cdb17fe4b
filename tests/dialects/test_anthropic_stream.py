"""Streamed messages: frames for events, and laws that hold for any events and any cuts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chat2api.chat.conversation import Conversation, Message, Text
from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
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
from chat2api.dialects.anthropic_messages import AnthropicMessages
from chat2api.dialects.anthropic_request import THINKING
from chat2api.dialects.anthropic_stream import MessageStream
from chat2api.dialects.protocol import Ask, Stamp
from chat2api.errors import ErrorInfo

STAMP = Stamp("msg_1", 1_730_000_000)
CONVERSATION = Conversation("claude-x", (Message("user", (Text("Say hi"),)),))
STOP = Finish("stop")
SPENT = Usage(30, 7, 2, 10)
USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 10,
    "output_tokens": 7,
}
BROKEN = ErrorInfo(502, "server_error", "upstream_truncated", "It broke off.", None, 3.0)


def asked(*, thinks: bool = True) -> Ask:
    return Ask(CONVERSATION, True, include_usage=True, echo={THINKING: thinks})


def stream(*, thinks: bool = True) -> MessageStream:
    return MessageStream(asked(thinks=thinks), STAMP, "req_1")


def told(body: bytes) -> list[dict[str, Any]]:
    """The bodies of the frames; each event line must say the same as its body."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        event, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert event == f"event: {found[-1]['type']}"
    return found


def drawn(*events: Event, thinks: bool = True) -> list[dict[str, Any]]:
    """Everything after the beginning."""
    made = stream(thinks=thinks)
    return told(made.feed(0, events) + made.close())[2:]


def short(frames: Iterable[dict[str, Any]]) -> list[Any]:
    """Frames as one reads them: `+N kind`, `N delta`, `-N`, other types."""
    out: list[Any] = []
    for frame in frames:
        match frame["type"]:
            case "content_block_start":
                out.append(f"+{frame['index']} {frame['content_block']['type']}")
            case "content_block_delta":
                delta = dict(frame["delta"])
                delta.pop("type")
                out.append(f"{frame['index']} {next(iter(delta.values()))}")
            case "content_block_stop":
                out.append(f"-{frame['index']}")
            case kind:
                out.append(kind)
    return out


def test_how_it_begins() -> None:
    start, ping = told(stream().feed(0, [TextDelta("")]))
    assert ping == {"type": "ping"}
    usage = start["message"].pop("usage")
    assert start == {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        },
    }
    assert usage == {
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 0,
        "service_tier": "standard",
    }


def test_a_beat_is_a_ping_and_never_the_first_thing() -> None:
    made = stream()
    assert [frame["type"] for frame in told(made.beat())] == ["message_start", "ping", "ping"]
    assert made.beat() == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert [frame["type"] for frame in told(made.feed(0, [TextDelta("a")]))] == [
        "content_block_start",
        "content_block_delta",
    ]


def test_a_text() -> None:
    assert drawn(TextDelta("Hel"), TextDelta("lo"), SPENT, STOP) == [
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": USAGE,
        },
        {"type": "message_stop"},
    ]


def test_thinking_is_signed() -> None:
    frames = drawn(ReasoningDelta("hm"), TextDelta("Hi"), STOP)
    assert frames[0]["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert short(frames) == [
        "+0 thinking", "0 hm", "0 chat2api:msg_1", "-0", "+1 text", "1 Hi", "-1",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert [frame["delta"]["type"] for frame in frames[1:3]] == [
        "thinking_delta",
        "signature_delta",
    ]


def test_thinking_is_told_to_those_who_asked_for_it() -> None:
    frames = drawn(TextDelta("H"), ReasoningDelta("hm"), TextDelta("i"), STOP, thinks=False)
    assert short(frames) == ["+0 text", "0 Hi", "-0", "message_delta", "message_stop"]


def test_a_call() -> None:
    frames = drawn(
        TextDelta("See"),
        ToolCallDelta(0, "call_1", "weather"),
        ToolCallDelta(0, arguments='{"city":'),
        ToolCallDelta(0, arguments='"Rome"}'),
        Finish("tool_calls"),
    )
    assert frames[3]["content_block"] == {
        "type": "tool_use",
        "id": "toolu_1",
        "name": "weather",
        "input": {},
    }
    assert frames[4]["delta"] == {"type": "input_json_delta", "partial_json": '{"city":"Rome"}'}
    assert short(frames)[3:] == [
        "+1 tool_use", '1 {"city":"Rome"}', "-1", "message_delta", "message_stop",
    ]  # fmt: skip
    assert frames[-2]["delta"]["stop_reason"] == "tool_use"


def test_arguments_are_told_as_they_come() -> None:
    made = stream()
    made.feed(0, [ToolCallDelta(0, "call_1", "f", '{"a":')])
    assert short(told(made.feed(0, [ToolCallDelta(0, arguments="1}")]))) == ["0 1}"]


def test_calls_that_come_mixed_are_told_apart() -> None:
    made = stream()
    first = [ToolCallDelta(0, "call_a", "f", '{"n":'), ToolCallDelta(1, "call_b", "g", '{"m":')]
    assert short(told(made.feed(0, first))[2:]) == ["+0 tool_use", '0 {"n":']
    assert short(told(made.feed(0, [ToolCallDelta(1, arguments="2}")]))) == []
    assert short(told(made.feed(0, [ToolCallDelta(0, arguments="1}")]))) == [
        "0 1}", "-0", "+1 tool_use", '1 {"m":2}',
    ]  # fmt: skip
    assert short(told(made.feed(0, [Finish("tool_calls")]))) == ["-1", "message_delta"]


def test_a_call_that_ends_nowhere_holds_the_others_back_to_the_finish() -> None:
    """One without arguments may still get some."""
    made = stream()
    calls = [ToolCallDelta(0, "call_a", "f"), ToolCallDelta(1, "call_b", "g", "{}")]
    assert short(told(made.feed(0, [*calls, TextDelta("x")]))[2:]) == ["+0 tool_use"]
    assert short(told(made.feed(0, [Finish("stop")]))) == [
        "-0", "+1 tool_use", "1 {}", "-1", "+2 text", "2 x", "-2", "message_delta",
    ]  # fmt: skip


def test_looking_for_the_end_of_a_call_is_not_done_for_ever() -> None:
    made = stream()
    made.feed(0, [ToolCallDelta(0, "call_a", "f", "{"), TextDelta("x")])
    for number in range(200):
        made.feed(0, [ToolCallDelta(0, arguments=f'"{number}":{{}},')])
        made.feed(0, [ToolCallDelta(0, arguments=f'"x{number}":{{}}')])
        made.feed(0, [ToolCallDelta(0, arguments=",")])
    assert short(told(made.feed(0, [ToolCallDelta(0, arguments='"z":{}}')]))) == ['0 "z":{}}']
    assert short(told(made.feed(0, [Finish("stop")])))[:2] == ["-0", "+1 text"]


@pytest.mark.parametrize(
    ("events", "reason", "sequence"),
    [
        ([STOP], "end_turn", None),
        ([Finish("stop", "END")], "stop_sequence", "END"),
        ([Finish("length")], "max_tokens", None),
        ([Finish("content_filter")], "refusal", None),
        ([RefusalDelta("No."), STOP], "refusal", None),
        ([ToolCallDelta(0, "call_1", "f", "{}"), STOP], "tool_use", None),
        ([ToolCallDelta(0, "call_1", "f", '{"a":'), Finish("length")], "max_tokens", None),
    ],
)
def test_why_it_ended(events: list[Event], reason: str, sequence: str | None) -> None:
    frames = drawn(*events)
    assert frames[-2]["delta"] == {"stop_reason": reason, "stop_sequence": sequence}
    assert frames[-1] == {"type": "message_stop"}


def test_what_has_no_place_in_a_message() -> None:
    frames = drawn(Thread("c", "m"), Citation("https://a.test", "A"), STOP)
    assert short(frames) == ["message_delta", "message_stop"]


def test_a_failure_is_the_last_word() -> None:
    made = stream()
    frames = told(made.feed(0, [TextDelta("a"), Failure(BROKEN)]))
    assert short(frames[2:]) == ["+0 text", "0 a", "error"]
    assert frames[-1] == {
        "type": "error",
        "error": {"type": "api_error", "message": "It broke off."},
        "request_id": "req_1",
    }
    assert made.close() == b""
    assert made.feed(0, [TextDelta("late"), STOP]) == b""


def test_arguments_that_are_no_object_are_a_failure() -> None:
    frames = drawn(ToolCallDelta(0, "call_1", "f", "[1]"), Finish("tool_calls"))
    assert short(frames) == ["+0 tool_use", "0 [1]", "error"]


# --- laws


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Texts, thinking, pictures and calls, whose arguments come in pieces and mixed with all else."""
    words = st.text(st.characters(codec="utf-8"), max_size=6)
    values = st.dictionaries(words, st.integers(-9, 9) | words, max_size=3)
    tracks: list[list[Event]] = []
    for index in range(draw(st.integers(0, 3))):
        arguments = orjson.dumps(draw(values)).decode() if draw(st.booleans()) else ""
        cut = draw(st.integers(0, len(arguments)))
        pieces = [arguments[:cut], arguments[cut:]]
        more: list[Event] = [ToolCallDelta(index, arguments=piece) for piece in pieces if piece]
        tracks.append([ToolCallDelta(index, f"call_{index}", f"tool_{index}"), *more])
    said = st.one_of(
        st.builds(TextDelta, words),
        st.builds(ReasoningDelta, words),
        st.builds(RefusalDelta, words),
        st.just(ImageRef("https://x.test/a.png")),
        st.just(SPENT),
    )
    tracks.append(draw(st.lists(said, max_size=8)))
    events: list[Event] = []
    while tracks := [track for track in tracks if track]:
        events.append(draw(st.sampled_from(tracks)).pop(0))
    reason: FinishReason = draw(st.sampled_from(["stop", "length", "tool_calls"]))
    return [*events, Finish(reason)]


def in_batches(events: Sequence[Event], sizes: Iterable[int]) -> Iterable[Sequence[Event]]:
    start = 0
    for size in sizes:
        yield events[start : start + size]
        start += size
    yield events[start:]


@settings(max_examples=150, deadline=None)
@given(answers(), st.lists(st.integers(1, 4), max_size=12), st.booleans())
def test_the_official_client_reads_the_same_from_a_stream(
    events: list[Event], sizes: list[int], thinks: bool
) -> None:
    made = stream(thinks=thinks)
    body = b"".join(made.feed(0, batch) for batch in in_batches(events, sizes) if batch)
    frames = told(body + made.close())
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for frame in frames:
        if frame["type"] != "ping":
            event = adapter.validate_python(frame)
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    done = fold(events)
    whole = AnthropicMessages("req_1").render(asked(thinks=thinks), STAMP, [done])
    seen = snapshot.to_dict(mode="json")
    for block in seen["content"]:
        block.pop("parsed_output", None)
        block.pop("citations", None)
    assert {key: value for key, value in seen.items() if key in whole} == whole


@settings(max_examples=100, deadline=None)
@given(answers(), st.lists(st.integers(1, 4), max_size=12))
def test_blocks_are_numbered_and_one_is_open_at_a_time(
    events: list[Event], sizes: list[int]
) -> None:
    made = stream()
    body = b"".join(made.feed(0, batch) for batch in in_batches(events, sizes) if batch)
    frames = told(body + made.close())
    assert [frame["type"] for frame in frames[:2]] == ["message_start", "ping"]
    assert [frame["type"] for frame in frames[-2:]] == ["message_delta", "message_stop"]
    opened, current = 0, None
    for frame in frames[2:-2]:
        match frame["type"]:
            case "content_block_start":
                assert (current, frame["index"]) == (None, opened)
                current, opened = opened, opened + 1
            case "content_block_delta":
                assert frame["index"] == current
            case kind:
                assert (kind, frame["index"]) == ("content_block_stop", current)
                current = None
    assert current is None
