"""Token usage of a turn: the upstream's, else counted here or, for long texts, elsewhere."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat import tokens
from chat2api.chat.conversation import Conversation, Image, Message, Text
from chat2api.chat.events import (
    Event,
    EventStream,
    Failure,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.errors import ClientGone, UpstreamTruncated
from chat2api.service.usage import UsageCounter

Stage = Any
HELLO: list[Event] = [TextDelta("Hel"), TextDelta("lo"), Finish("stop")]
LONG = "long text " * 3000


def stream(events: list[Event]) -> EventStream:
    yield from events


def added(stage: Stage, conversation: Conversation, *events: Event) -> list[Event]:
    counter = UsageCounter(stage.compute)
    return list(counter.added(stream(list(events)), conversation, stage.call))


def test_usage_comes_before_the_end(stage: Stage, hello: Conversation) -> None:
    # "user" and "Say hello" are 1 + 2 tokens, a message 3, the reply 3; "Hello" is one.
    usage = Usage(prompt_tokens=9, completion_tokens=1, estimated=True)
    assert added(stage, hello, *HELLO) == [*HELLO[:2], usage, HELLO[2]]
    assert stage.compute.ran == []


def test_reasoning_and_tool_calls_are_part_of_the_answer(stage: Stage, hello: Conversation) -> None:
    events = added(
        stage,
        hello,
        ReasoningDelta("think "),
        ReasoningDelta("hard"),
        TextDelta("hello"),
        ToolCallDelta(0, "call_1", "look", '{"a":'),
        ToolCallDelta(0, arguments="1}"),
        Finish("tool_calls"),
    )
    reasoning, answer = tokens.count("think hard"), tokens.count('hellolook{"a":1}')
    assert events[-2] == Usage(9, reasoning + answer, reasoning)


def test_the_upstreams_figures_are_kept(stage: Stage, hello: Conversation) -> None:
    theirs = Usage(7, 8, 9, 10, estimated=False)
    assert added(stage, hello, HELLO[0], theirs, HELLO[2]) == [HELLO[0], theirs, HELLO[2]]


def test_pictures_count_as_overhead(stage: Stage, hello: Conversation) -> None:
    seen = replace(hello, messages=(Message("user", (Text("Say hello"), Image("data:,x"))),))
    assert added(stage, seen, HELLO[2])[0] == Usage(9 + tokens.IMAGE_TOKENS, 0)


def test_long_texts_are_counted_elsewhere(stage: Stage, hello: Conversation) -> None:
    stage.compute.answer = ([500, 20, 1, 2], False)
    events = added(stage, hello, ReasoningDelta("hm"), TextDelta(LONG), Finish("stop"))
    assert events[-2] == Usage(prompt_tokens=9, completion_tokens=520, reasoning_tokens=20)
    assert stage.compute.ran == [("count_tokens", [LONG, "hm", "user", "Say hello"])]


@pytest.mark.parametrize("problem", [ComputeFailed("It died."), ComputeTimeout("Too slow.")])
def test_where_counting_fails_a_guess_is_made(
    stage: Stage, hello: Conversation, problem: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stage.compute.answer = problem
    with caplog.at_level(logging.WARNING):
        events = added(stage, hello, TextDelta(LONG), Finish("stop"))
    # Four characters a token.
    assert events[-2] == Usage(prompt_tokens=6 + 1 + 3, completion_tokens=7500, estimated=True)
    assert caplog.messages == ["counting tokens failed; estimating"]


def test_a_call_that_ends_while_counting_ends_the_turn(stage: Stage, hello: Conversation) -> None:
    gone = ClientGone("The caller hung up.")
    stage.compute.answer = gone
    with pytest.raises(ClientGone):
        added(stage, hello, TextDelta(LONG), Finish("stop"))


def test_counting_for_limits(stage: Stage) -> None:
    counter = UsageCounter(stage.compute)
    assert counter.count("hello world") == 2
    assert counter.prefix_within("hello world", 1) == "hello"


def test_a_turn_counts_only_when_asked_to(stage: Stage, hello: Conversation) -> None:
    stage.provider.scripts = [HELLO]
    assert stage.turn(hello, count_usage=True) == [*HELLO[:2], Usage(9, 1), HELLO[2]]
    assert stage.turn(hello, count_usage=False) == HELLO


def test_no_usage_is_made_up_for_a_turn_that_failed(stage: Stage, hello: Conversation) -> None:
    error = UpstreamTruncated("Cut.")
    stage.provider.scripts = [[TextDelta("Hel"), error]]
    assert stage.turn(hello, count_usage=True) == [TextDelta("Hel"), Failure(error.info)]


def test_a_prompt_counts_the_same_before_it_is_asked(stage: Stage, hello: Conversation) -> None:
    counter = UsageCounter(stage.compute)
    assert counter.prompt_tokens(hello, stage.call) == 9
    stage.compute.answer = ([1, 6_000], False)
    long = replace(hello, messages=(Message("user", (Text(LONG),)),))
    assert counter.prompt_tokens(long, stage.call) == 6_001 + tokens.prompt_overhead(long)
    assert stage.compute.ran == [("count_tokens", ["user", LONG])]
