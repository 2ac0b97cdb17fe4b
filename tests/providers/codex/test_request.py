"""Conversations as bodies of turns. Whatever is asked, the backend has nothing against the body."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    Image,
    JsonOutput,
    Limits,
    Message,
    Part,
    Reasoning,
    ReplyTo,
    Role,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from chat2api.errors import RequestError, Unsupported
from chat2api.providers.codex.models import CodexModel, Target
from chat2api.providers.codex.request import DEFAULT_INSTRUCTIONS, Turn, build_turn
from chat2api.providers.codex.sealing import owner_mark, seal

OWNER = owner_mark("a", None)
HELLO = Conversation("gpt-5.5", (Message("user", (Text("Hi"),)),))


def turn(conversation: Conversation = HELLO, target: Target | None = None, **changes: Any) -> Turn:
    return build_turn(replace(conversation, **changes), target or Target("gpt-5.5"), OWNER)


def body(**changes: Any) -> dict[str, Any]:
    return turn(**changes).body


def test_what_was_left_open_is_left_out() -> None:
    sent = body()
    assert sent == {
        "model": "gpt-5.5",
        "instructions": DEFAULT_INSTRUCTIONS,
        "input": [
            {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Hi"}],
            }
        ],
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": sent["prompt_cache_key"],
        "reasoning": {"summary": "auto"},
    }


def test_what_the_backend_has_no_field_for_is_not_sent() -> None:
    knobs = Sampling(0.5, 0.5, 1.0, 1.0, 7, {"1": 1.0})
    limited = body(sampling=knobs, limits=Limits(10, ("x",)), keep_history=True)
    assert limited == body()


def test_who_asks_only_decides_where_the_cache_is() -> None:
    mine, theirs = body(user="me"), body(user="them")
    assert mine.pop("prompt_cache_key") != theirs.pop("prompt_cache_key")
    assert mine == theirs


def test_instructions_of_the_system() -> None:
    messages = (Message("system", (Text("Be brief."),)), *HELLO.messages)
    assert body(messages=messages)["instructions"] == "Be brief."
    own = build_turn(HELLO, Target("m"), OWNER, instructions="Ours.", summary="")
    assert own.body["instructions"] == "Ours."
    assert "reasoning" not in own.body


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (Target("m", "high"), {"effort": "high", "summary": "auto"}),
        (Target("m", "low", CodexModel("m", summaries=False)), {"effort": "low"}),
        (Target("m", None, CodexModel("m", summaries=True)), {"summary": "auto"}),
        (Target("m", None, CodexModel("m", summaries=False)), None),
    ],
)
def test_reasoning(target: Target, sent: Any) -> None:
    assert turn(target=target).body.get("reasoning") == sent


@pytest.mark.parametrize(
    ("verbosity", "model", "sent"),
    [
        ("low", None, {"verbosity": "low"}),
        ("low", CodexModel("m", verbosity=True), {"verbosity": "low"}),
        ("low", CodexModel("m", verbosity=False), None),
        ("endless", None, None),
    ],
)
def test_verbosity(verbosity: str, model: CodexModel | None, sent: Any) -> None:
    found = turn(target=Target("m", None, model), sampling=Sampling(verbosity=verbosity)).body
    assert found.get("text") == sent


def test_formats() -> None:
    schema = {"type": "object", "properties": {}}
    assert body(output=JsonOutput(schema, "my answer", "Said so.", True))["text"]["format"] == {
        "type": "json_schema",
        "name": "my_answer",
        "description": "Said so.",
        "schema": schema,
        "strict": True,
    }
    assert body(output=JsonOutput(schema))["text"]["format"] == {
        "type": "json_schema",
        "name": "response",
        "schema": schema,
        "strict": False,
    }


def test_somebody_speaks_of_json() -> None:
    silent = body(output=JsonOutput())
    assert silent["text"]["format"] == {"type": "json_object"}
    assert "JSON" in silent["input"][0]["content"][0]["text"]
    assert silent["input"][0]["role"] == "developer"
    loud = (Message("user", (Text("As json, please"),)),)
    assert len(body(messages=loud, output=JsonOutput())["input"]) == 1


def test_what_it_refuses() -> None:
    with pytest.raises(Unsupported) as going_on:
        turn(reply_to=ReplyTo("c"))
    assert going_on.value.param == "conversation_id"
    for messages in ((), (Message("user", ()),), (Message("user", (Text(""),)),)):
        with pytest.raises(RequestError, match="nothing to answer"):
            turn(messages=messages)


# --- one conversation, one cache


def test_later_turns_find_the_cache_and_others_do_not() -> None:
    first = turn()
    later = turn(
        messages=(*HELLO.messages, Message("assistant", (Text("Hello"),)), *HELLO.messages)
    )
    assert later.session == first.session
    assert later.body["prompt_cache_key"] == first.session
    assert len(first.session) == 36
    other = (Message("user", (Text("Ho"),)),)
    told = (Message("system", (Text("Be brief."),)), *HELLO.messages)
    keys = [first, turn(messages=other), turn(messages=told), turn(user="x"), turn(model="y")]
    assert len({one.session for one in keys}) == len(keys)


def test_half_a_character_breaks_nothing_here() -> None:
    assert turn(messages=(Message("user", (Text("\ud800"),)),)).session


# --- reasoning of earlier turns


def test_reasoning_is_only_sent_to_whom_it_came_from() -> None:
    thought = (Reasoning("Hm.", seal("gAAA", OWNER)), Text("So."))
    messages = (*HELLO.messages, Message("assistant", thought), *HELLO.messages)
    mine = turn(messages=messages)
    assert mine.reminded
    assert mine.body["input"][1]["encrypted_content"] == "gAAA"
    asked = replace(HELLO, messages=messages)
    theirs = build_turn(asked, Target("m"), owner_mark("b", None))
    without = build_turn(asked, Target("m"), OWNER, remind=False)
    for one in (theirs, without):
        assert not one.reminded
        assert [item["type"] for item in one.body["input"]] == ["message"] * 3


# --- nothing that is refused

_IDS = st.sampled_from(["a", "b", "", "x" * 70])
_NAMES = st.sampled_from(["look", "n" * 80, "with space", "näh"])
_PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, st.sampled_from(["", "Hi", "json"])),
    st.builds(Image, st.just("data:image/png;base64,AA"), st.sampled_from([None, "low", "x"])),
    st.builds(Reasoning, st.just("Hm"), st.sampled_from([None, "x", seal("gA", OWNER)])),
    st.builds(ToolCall, _IDS, _NAMES, st.sampled_from(["", "{}"]), st.booleans()),
    st.builds(ToolResult, _IDS, st.sampled_from(["", "sun"])),
)
_ROLES: st.SearchStrategy[Role] = st.sampled_from(["system", "user", "assistant", "tool"])
_MESSAGES = st.lists(
    st.builds(Message, _ROLES, st.lists(_PARTS, max_size=4).map(tuple)), max_size=6
)
_TOOLS = st.lists(
    st.builds(ToolSpec, _NAMES, st.sampled_from(["", "Does."]), st.just({}), custom=st.booleans()),
    max_size=3,
    unique_by=lambda tool: tool.name,
)
_BUILTINS = st.lists(
    st.builds(
        Builtin,
        st.sampled_from(["web_search", "image_generation"]),
        st.just({"size": "auto", "user_location": None}),
    ),
    max_size=2,
)
_CHOICES = st.builds(
    ToolChoice,
    st.sampled_from(["auto", "none", "required"]),
    st.lists(_NAMES, max_size=2).map(tuple),
)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_the_backend_takes_any_conversation(
    data: st.DataObject, find_problem: Callable[[Any], str | None]
) -> None:
    asked = Conversation(
        "gpt-5.5",
        tuple(data.draw(_MESSAGES)),
        tools=tuple(data.draw(_TOOLS)),
        tool_choice=data.draw(_CHOICES),
        builtins=tuple(data.draw(_BUILTINS)),
        output=data.draw(st.sampled_from([None, JsonOutput(), JsonOutput({}, "ä")])),
    )
    made = None
    with suppress(RequestError):  # nothing to answer
        made = build_turn(asked, Target("gpt-5.5", "low"), OWNER)
    assert made is None or find_problem(json.loads(json.dumps(made.body))) is None
