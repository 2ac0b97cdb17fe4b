"""Who is helped, and who is left alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    Limits,
    Message,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from chat2api.chat.events import Event, EventStream, Finish, TextDelta, ToolCallDelta
from chat2api.chat.fold import Completion, fold
from chat2api.lifetime.call import Call
from chat2api.providers.protocol import Capabilities
from chat2api.service.emulation import Emulator, new_call_id, new_nonce
from chat2api.service.json_checks import JsonChecks
from chat2api.service.usage import UsageCounter

TOOL = ToolSpec("get_weather", "", {"type": "object"})
HELLO = Message("user", (Text("Hello"),))
HISTORY = (
    HELLO,
    Message("assistant", (ToolCall("c1", "get_weather", "{}"),)),
    Message("tool", (ToolResult("c1", "sun"),)),
)
NATIVE = Capabilities(native_tools=True, native_json=True)


SCRIPT = (ToolCallDelta(0, "c1", "get_weather", "not checked"), TextDelta("Hello"), Finish("stop"))


class Asked:
    """An upstream that plays a script and notes what it was asked, and how much of it was read."""

    def __init__(self, *script: Event) -> None:
        self.script = script or SCRIPT
        self.conversations: list[Conversation] = []
        self.streams: list[EventStream] = []
        self.read = 0

    def __call__(self, conversation: Conversation) -> EventStream:
        self.conversations.append(conversation)
        stream = self._stream()
        self.streams.append(stream)
        return stream

    def _stream(self) -> EventStream:
        for event in self.script:
            self.read += 1
            yield event


NONCE = "kzq3x9ab"
CALL = f'<tool_call_{NONCE} name="get_weather">\n{{"city": "Oslo"}}\n</tool_call_{NONCE}>'
END = Conversation("auto", (HELLO,), tools=(TOOL,), limits=Limits(500, ("END", "Oslo")))


def helped(conversation: Conversation, *said: str) -> tuple[Completion, Asked]:
    """By an upstream that can do nothing itself."""
    ask = Asked(*map(TextDelta, said), Finish("stop"))
    made = emulator(iter([NONCE]))
    return fold(made.events(conversation, Capabilities(), ask, Call(math.inf))), ask


def emulator(nonces: Iterator[str] | None = None) -> Emulator:
    nothing: Any = None
    make = new_nonce if nonces is None else lambda: next(nonces)
    return Emulator(JsonChecks(nothing), UsageCounter(nothing), make_nonce=make)


@pytest.mark.parametrize(
    ("conversation", "able"),
    [
        (Conversation("auto", (HELLO,)), Capabilities()),
        (Conversation("auto", (HELLO,), tools=(TOOL,)), Capabilities(native_tools=True)),
        (Conversation("auto", HISTORY), Capabilities(native_tools=True)),
        (Conversation("auto", (HELLO,), output=JsonOutput()), Capabilities(native_json=True)),
        (Conversation("auto", HISTORY, tools=(TOOL,), output=JsonOutput()), NATIVE),
    ],
)
def test_what_an_upstream_can_do_itself_is_left_to_it(
    conversation: Conversation, able: Capabilities
) -> None:
    ask = Asked()

    events = emulator().events(conversation, able, ask, Call(math.inf))

    assert ask.conversations == [conversation]
    assert events is ask.streams[0]


def test_earlier_calls_are_told_without_tools_in_the_request_too() -> None:
    ask = Asked()

    list(emulator().events(Conversation("auto", HISTORY), Capabilities(), ask, Call(math.inf)))

    (told,) = ask.conversations
    assert [message.role for message in told.messages] == ["user", "assistant", "user"]


def test_only_what_is_missing_is_done() -> None:
    ask = Asked()
    conversation = Conversation("auto", (HELLO,), tools=(TOOL,), output=JsonOutput())

    events = list(
        emulator().events(conversation, Capabilities(native_tools=True), ask, Call(math.inf))
    )

    (told,) = ask.conversations
    assert (told.tools, told.output) == ((TOOL,), None)
    assert events == [*SCRIPT[:2], Finish("tool_calls")]


def test_the_upstream_gets_text_alone_and_no_stop_strings() -> None:
    _, ask = helped(END, "Hi")

    (told,) = ask.conversations
    assert (told.tools, told.limits) == ((), Limits(500))
    assert "1. get_weather" in told.messages[0].text


def test_tools_that_must_not_be_called_are_not_told() -> None:
    done, ask = helped(
        replace(END, tool_choice=ToolChoice("none"), limits=Limits()), f"See: {CALL}"
    )

    assert ask.conversations[0].messages == (HELLO,)
    assert (done.text, done.tool_calls) == ('See:\n\n{"city": "Oslo"}', [])


def test_stop_strings_act_on_what_is_seen() -> None:
    done, _ = helped(END, f"Hm.\n{CALL}")

    assert (done.text, len(done.tool_calls), done.stop) == ("Hm.", 1, None)


def test_a_stop_string_ends_the_answer_and_the_upstream() -> None:
    done, ask = helped(END, "One END two", CALL)

    assert (done.text, done.tool_calls, done.finish_reason) == ("One ", [], "stop")
    assert (done.stop, ask.read) == ("END", 1)


def test_calls_before_a_stop_string_count() -> None:
    done, _ = helped(END, f"{CALL}\nNow END")

    assert (len(done.tool_calls), done.finish_reason, done.stop) == (1, "tool_calls", "END")


def test_a_stop_string_does_not_hide_what_is_said_of_the_answer() -> None:
    town = replace(TOOL, parameters={"type": "object", "required": ["town"]})
    asked = replace(END, tools=(town,), limits=Limits(stop=("END",)))
    done, _ = helped(asked, f"{CALL}\nNow END")

    assert (done.finish_reason, done.stop, done.notes) == ("stop", "END", ("tool_call_invalid",))


def test_what_is_said_of_an_answer_is_told_to_whoever_asks() -> None:
    heard: list[tuple[str, ...]] = []
    ask = Asked(TextDelta(CALL), TextDelta(CALL), Finish("stop"))
    conversation = Conversation("auto", (HELLO,), tools=(TOOL,), parallel_tool_calls=False)
    made = emulator(iter([NONCE]))
    done = fold(made.events(conversation, Capabilities(), ask, Call(math.inf), heard.append))
    assert heard == [done.notes] == [("tool_call_dropped",)]


def test_a_marker_that_stands_in_the_request_is_not_taken() -> None:
    ask = Asked()
    user = Message("user", (Text("Say kaaaaaaa"),))
    conversation = Conversation("auto", (user,), tools=(TOOL,))
    made = emulator(iter(["kaaaaaaa", "kbbbbbbb"]))

    list(made.events(conversation, Capabilities(), ask, Call(math.inf)))

    assert "<tool_call_kbbbbbbb " in ask.conversations[0].messages[0].text


def test_markers_and_ids_are_random_and_well_formed() -> None:
    assert re.fullmatch("[jkqvxz][a-z0-9]{7}", new_nonce())
    assert re.fullmatch("call_[A-Za-z0-9]{24}", new_call_id())
    assert len({new_nonce() for _ in range(50)}) == 50
    assert len({new_call_id() for _ in range(50)}) == 50
