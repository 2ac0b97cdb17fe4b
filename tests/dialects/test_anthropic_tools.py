"""Tools of a Messages request, and the ids and inputs of their calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.conversation import Builtin, ToolChoice, ToolSpec
from chat2api.dialects.anthropic_tools import (
    Tools,
    call_id_of,
    input_of,
    parse_choice,
    parse_tools,
    tool_use_id,
)
from chat2api.errors import RequestError, UpstreamBadResponse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
BASH = {"type": "bash_20250124", "name": "bash"}


def refused(raw: list[Any]) -> tuple[str | None, str | None]:
    with pytest.raises(RequestError) as caught:
        parse_tools(raw)
    return caught.value.param, caught.value.code


def test_a_tool_of_the_callers() -> None:
    spec = ToolSpec("weather", "Tells it.", SCHEMA)
    assert parse_tools([WEATHER]) == Tools((spec,))
    marked = {**WEATHER, "type": "custom", "cache_control": {"type": "ephemeral"}, "strict": True}
    assert parse_tools([marked]).specs == (ToolSpec("weather", "Tells it.", SCHEMA, strict=True),)
    assert parse_tools([{"name": "now", "input_schema": {}}]).specs == (ToolSpec("now", "", {}),)
    assert parse_tools(None) == Tools()


def test_tools_that_others_run() -> None:
    tools = parse_tools([SEARCH, BASH, WEATHER])
    assert tools.builtins == (Builtin("web_search", {"max_uses": 3}),)
    assert tools.typed == {"web_search", "bash"}
    assert tools.ignored == ("tools.bash_20250124",)
    assert [spec.name for spec in tools.specs] == ["weather"]
    assert parse_tools([{"type": "mcp_toolset"}]).typed == {"mcp_toolset"}


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (7, "tools[0]"),
        ({"name": "x"}, "tools[0].input_schema"),
        ({"input_schema": {}}, "tools[0].name"),
        ({"name": "has blanks", "input_schema": {}}, "tools[0].name"),
        ({"name": "x" * 129, "input_schema": {}}, "tools[0].name"),
        ({"name": "x", "input_schema": []}, "tools[0].input_schema"),
        ({"name": "x", "input_schema": {"type": "array"}}, "tools[0].input_schema"),
        ({"name": "x", "input_schema": {"properties": [1]}}, "tools[0].input_schema"),
        ({"type": "é\r\n", "name": "x"}, "tools[0].type"),
        ({"type": 7, "name": "x"}, "tools[0].type"),
    ],
)
def test_tools_that_are_refused(tool: object, param: str) -> None:
    assert refused([tool])[0] == param


def test_two_tools_of_one_name() -> None:
    assert refused([WEATHER, WEATHER]) == ("tools[1].name", "invalid_value")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, (ToolChoice(), True)),
        ({"type": "auto"}, (ToolChoice(), True)),
        ({"type": "auto", "disable_parallel_tool_use": True}, (ToolChoice(), False)),
        ({"type": "any"}, (ToolChoice("required"), True)),
        ({"type": "none"}, (ToolChoice("none"), True)),
        (
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
            (ToolChoice("required", ("weather",)), False),
        ),
        ({"type": "tool", "name": "web_search"}, (ToolChoice(), True)),
    ],
)
def test_choices(choice: dict[str, Any] | None, expected: tuple[ToolChoice, bool]) -> None:
    assert parse_choice(choice, parse_tools([WEATHER, SEARCH])) == expected


def test_a_tool_of_others_cannot_be_made_to_be_used() -> None:
    assert parse_choice({"type": "any"}, parse_tools([SEARCH])) == (ToolChoice(), True)


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({}, "tool_choice.type"),
        ({"type": "required"}, "tool_choice.type"),
        ({"type": "tool", "name": "missing"}, "tool_choice.name"),
        ({"type": "tool"}, "tool_choice.name"),
        (
            {"type": "any", "disable_parallel_tool_use": "no"},
            "tool_choice.disable_parallel_tool_use",
        ),
    ],
)
def test_choices_that_are_refused(choice: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_choice(choice, parse_tools([WEATHER]))
    assert caught.value.param == param


def test_a_call_cannot_be_asked_for_without_tools() -> None:
    with pytest.raises(RequestError) as caught:
        parse_choice({"type": "any"}, Tools())
    assert caught.value.param == "tool_choice"


@given(st.from_regex(r"call_[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_our_ids_come_back_as_they_were(call_id: str) -> None:
    shown = tool_use_id(call_id)
    assert shown.startswith("toolu_")
    if not call_id.startswith("call_toolu_"):
        assert call_id_of(shown) == call_id


@given(st.text(max_size=40))
def test_ids_of_others_become_ids_that_clients_take(call_id: str) -> None:
    assert tool_use_id(call_id).isascii()
    assert tool_use_id(tool_use_id(call_id)) == tool_use_id(call_id)


@pytest.mark.parametrize(
    ("arguments", "cut", "expected"),
    [
        ("", False, {}),
        (" \n", False, {}),
        ('{"a": [1, {"b": null}]}', False, {"a": [1, {"b": None}]}),
        ('{"a": 1, "b": "unfin', True, {"a": 1}),
        ('{"a"', True, {}),
        ("[1, 2", True, {}),
        ("nonsense", True, {}),
    ],
)
def test_inputs(arguments: str, cut: bool, expected: dict[str, Any]) -> None:
    assert input_of(arguments, cut=cut) == expected


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "null", '{"a": 1', "{'a': 1}", '{"a":1} more'])
def test_a_tool_does_not_run_on_what_nobody_said(arguments: str) -> None:
    with pytest.raises(UpstreamBadResponse):
        input_of(arguments)
