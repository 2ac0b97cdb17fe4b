"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import ToolSpec
from chat2api.dialects.openai_tools import parse_choice, parse_tools
from chat2api.errors import RequestError

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
SEARCH = {"name": "search", "description": "Find", "parameters": SCHEMA, "strict": True}
SPEC = ToolSpec("search", "Find", SCHEMA, strict=True)


def test_tools() -> None:
    tools = [
        {"type": "function", "function": SEARCH},
        {"type": "function", "function": {"name": "now", "description": None, "strict": None}},
    ]
    assert parse_tools(tools, None) == (
        SPEC,
        ToolSpec("now", "", {"type": "object", "properties": {}}),
    )


def test_functions_are_the_old_spelling() -> None:
    assert parse_tools(None, [SEARCH]) == (SPEC,)
    assert parse_tools([], [SEARCH]) == (SPEC,)
    assert parse_tools([{"type": "function", "function": SEARCH}], [{"name": "x"}]) == (SPEC,)


def test_no_tools() -> None:
    assert parse_tools(None, None) == ()


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ("search", "tools[0]"),
        ({"function": SEARCH}, "tools[0].type"),
        ({"type": "custom", "custom": {}}, "tools[0].type"),
        ({"type": "function"}, "tools[0].function"),
        ({"type": "function", "function": {}}, "tools[0].function.name"),
        ({"type": "function", "function": {"name": "a b"}}, "tools[0].function.name"),
        ({"type": "function", "function": {"name": "x" * 65}}, "tools[0].function.name"),
        (
            {"type": "function", "function": {"name": "a", "parameters": "{}"}},
            "tools[0].function.parameters",
        ),
    ],
)
def test_a_malformed_tool(tool: object, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_tools([tool], None)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("choice", "path", "parsed"),
    [
        (None, "tool_choice", "auto"),
        ("auto", "tool_choice", "auto"),
        ("none", "tool_choice", "none"),
        ("required", "tool_choice", "required"),
        ({"type": "function", "function": {"name": "search"}}, "tool_choice", "tool:search"),
        ({"name": "search"}, "function_call", "tool:search"),
    ],
)
def test_choices(choice: object, path: str, parsed: str) -> None:
    assert parse_choice(choice, (SPEC,), path) == parsed


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_without_tools_there_is_little_to_choose(choice: object) -> None:
    assert parse_choice(choice, ()) == (choice or "auto")


@pytest.mark.parametrize(
    ("choice", "specs", "param"),
    [
        ("any", (SPEC,), "tool_choice"),
        (5, (SPEC,), "tool_choice"),
        ("required", (), "tool_choice"),
        ({"type": "function", "function": {"name": "search"}}, (), "tool_choice"),
        (
            {"type": "function", "function": {"name": "missing"}},
            (SPEC,),
            "tool_choice.function.name",
        ),
        ({"type": "function", "function": {}}, (SPEC,), "tool_choice.function.name"),
        ({"type": "web", "function": {"name": "search"}}, (SPEC,), "tool_choice.type"),
        ({"function": {"name": "search"}}, (SPEC,), "tool_choice.type"),
    ],
)
def test_a_choice_that_cannot_be_made(choice: Any, specs: tuple[ToolSpec, ...], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_choice(choice, specs)
    assert (caught.value.status, caught.value.param) == (400, param)
