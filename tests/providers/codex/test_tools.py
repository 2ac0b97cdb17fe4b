"""Tools in the backend's words, and names it can take."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    Message,
    Text,
    ToolCall,
    ToolChoice,
    ToolSpec,
)
from chat2api.providers.codex.tools import ToolNames, short_name, tool_fields, tool_names

HELLO = Conversation("m", (Message("user", (Text("Hi"),)),))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
LOOK = ToolSpec("look", "Looks.", SCHEMA)
PATCH = ToolSpec("patch", "", {}, custom=True, format={"type": "grammar", "syntax": "lark"})
LOOK_SENT = {
    "type": "function",
    "name": "look",
    "description": "Looks.",
    "parameters": SCHEMA,
    "strict": False,
}
PATCH_SENT = {
    "type": "custom",
    "name": "patch",
    "format": {"type": "grammar", "syntax": "lark"},
}


def fields(**changes: Any) -> dict[str, Any]:
    asked = replace(HELLO, **changes)
    return tool_fields(asked, tool_names(asked))


def test_no_tools_no_fields() -> None:
    assert fields() == {}
    assert fields(parallel_tool_calls=False, tool_choice=ToolChoice("none")) == {}


def test_functions_and_custom_tools() -> None:
    assert fields(tools=(LOOK, PATCH)) == {
        "tools": [LOOK_SENT, PATCH_SENT],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    assert fields(tools=(LOOK,), parallel_tool_calls=False)["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (SCHEMA, SCHEMA),
        ({"properties": {}}, {"properties": {}}),
        ({"type": ["object", "null"]}, {"type": ["object", "null"]}),
    ],
)
def test_parameters_are_always_an_object(parameters: Any, sent: Any) -> None:
    (tool,) = fields(tools=(ToolSpec("f", "", parameters),))["tools"]
    assert tool["parameters"] == sent


@pytest.mark.parametrize(
    ("choice", "names", "sent"),
    [
        (ToolChoice(), ["look", "patch"], "auto"),
        (ToolChoice("none"), ["look", "patch"], "none"),
        (ToolChoice("required"), ["look", "patch"], "required"),
        (ToolChoice("auto", ("patch",)), ["patch"], "auto"),
        (ToolChoice("required", ("look",)), ["look"], {"type": "function", "name": "look"}),
        (ToolChoice("required", ("patch",)), ["patch"], {"type": "custom", "name": "patch"}),
        (ToolChoice("required", ("look", "patch")), ["look", "patch"], "required"),
        (ToolChoice("none", ("look",)), ["look", "patch"], "none"),
    ],
)
def test_choices(choice: ToolChoice, names: list[str], sent: Any) -> None:
    found = fields(tools=(LOOK, PATCH), tool_choice=choice)
    assert [tool["name"] for tool in found["tools"]] == names
    assert found["tool_choice"] == sent


def test_tools_of_the_upstreams_own_are_offered_and_never_demanded() -> None:
    found = fields(
        builtins=(
            Builtin("web_search", {"search_context_size": "low", "strange": 1, "filters": None}),
            Builtin("image_generation", {"size": "1024x1024", "partial_images": 3}),
        ),
        tool_choice=ToolChoice("required"),
    )
    assert found["tools"] == [
        {"type": "web_search", "search_context_size": "low"},
        {"type": "image_generation", "output_format": "png", "size": "1024x1024"},
    ]
    assert found["tool_choice"] == "auto"
    named = fields(
        tools=(LOOK,),
        builtins=(Builtin("web_search", {}),),
        tool_choice=ToolChoice("required", ("look",)),
    )
    assert named["tools"] == [LOOK_SENT]


def test_both_spellings_of_a_place() -> None:
    flat = {"type": "approximate", "country": "NO"}
    nested = {"type": "approximate", "approximate": {"country": "NO"}}
    for location in (flat, nested):
        (tool,) = fields(builtins=(Builtin("web_search", {"user_location": location}),))["tools"]
        assert tool["user_location"] == flat
    (tool,) = fields(builtins=(Builtin("web_search", {"user_location": "Oslo"}),))["tools"]
    assert "user_location" not in tool


# --- names

_TAKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


def test_names_that_are_taken_stay() -> None:
    names = ToolNames(["look", "a" * 64])
    assert names.sent("look") == "look"
    assert names.meant == {"look": "look", "a" * 64: "a" * 64}


def test_long_names_of_mcp_tools_stay_recognisable() -> None:
    short = short_name("mcp__a_very_long_server_name__" + "x" * 60 + "__read_file")
    assert short.startswith("mcp__")
    assert "__read_file_" in short
    assert len(short) == 64


def test_a_short_name_that_is_anothers_already_is_not_given() -> None:
    long = "x" * 80
    names = ToolNames([long, short_name(long)])
    assert names.sent(short_name(long)) == short_name(long)
    assert names.sent(long) != short_name(long)
    assert names.meant[names.sent(long)] == long


@settings(max_examples=80)
@given(st.lists(st.text(max_size=90), max_size=6))
def test_every_name_can_be_sent_and_read_back(given_names: list[str]) -> None:
    names = ToolNames(given_names)
    sent = {name: names.sent(name) for name in given_names}
    assert all(_TAKEN.fullmatch(one) for one in sent.values())
    assert len(set(sent.values())) == len(sent)
    assert all(names.meant[one] == name for name, one in sent.items())
    assert {name: ToolNames(given_names).sent(name) for name in given_names} == sent


def test_earlier_calls_of_tools_that_are_gone_have_names_too() -> None:
    gone = "m.gone"
    asked = replace(HELLO, messages=(Message("assistant", (ToolCall("c", gone, "{}"),)),))
    names = tool_names(asked)
    assert names.meant[names.sent(gone)] == gone
