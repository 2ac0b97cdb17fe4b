"""Who is helped, and who is left alone."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    Message,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat2api.chat.events import EventStream, Finish, TextDelta, ToolCallDelta
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


class Asked:
    """An upstream that says hello and notes what it was asked."""

    def __init__(self) -> None:
        self.conversations: list[Conversation] = []
        self.streams: list[EventStream] = []

    def __call__(self, conversation: Conversation) -> EventStream:
        self.conversations.append(conversation)
        stream = self._stream()
        self.streams.append(stream)
        return stream

    def _stream(self) -> EventStream:
        yield ToolCallDelta(0, "c1", "get_weather", "not checked")
        yield TextDelta("Hello")
        yield Finish("stop")


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
    assert events == [
        ToolCallDelta(0, "c1", "get_weather", "not checked"),
        TextDelta("Hello"),
        Finish("tool_calls"),
    ]


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
