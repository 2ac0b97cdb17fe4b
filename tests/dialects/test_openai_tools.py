"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import Builtin, ToolChoice, ToolSpec
from chat2api.dialects.openai_tools import Toolset, check_parameters, parse_choice, parse_tools
from chat2api.errors import RequestError

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
SEARCH = {"name": "search", "description": "Find", "parameters": SCHEMA, "strict": True}
SPEC = ToolSpec("search", "Find", SCHEMA, strict=True)
NOW = ToolSpec("now", "", {"type": "object", "properties": {}})
SQL = ToolSpec("sql", "", {}, custom=True)
FUNCTION = frozenset({"function"})
TOOLS = Toolset((SPEC, NOW, SQL), types=frozenset({"function", "custom", "web_search", "mcp"}))


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def custom(**fields: Any) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": "sql", **fields}}


# --- tools


def test_tools() -> None:
    tools = [
        {"type": "function", "function": SEARCH},
        {"type": "function", "function": {"name": "now", "description": None, "strict": None}},
    ]
    assert parse_tools(tools, None) == Toolset((SPEC, NOW), types=FUNCTION)


def test_the_flat_spelling_of_another_api_is_understood() -> None:
    tools = [{"type": "function", **SEARCH}, {"type": "custom", "name": "sql"}]
    assert parse_tools(tools, None).specs == (SPEC, SQL)


def test_functions_are_the_old_spelling() -> None:
    only_search = Toolset((SPEC,), types=FUNCTION)
    assert parse_tools(None, [SEARCH]) == only_search
    assert parse_tools([], [SEARCH]) == only_search
    assert parse_tools([{"type": "function", "function": SEARCH}], [{"name": "x"}]) == only_search


@pytest.mark.parametrize(("tools", "functions"), [(None, None), ([], []), (None, [])])
def test_no_tools(tools: list[Any] | None, functions: list[Any] | None) -> None:
    assert parse_tools(tools, functions) == Toolset()


GRAMMAR = {"syntax": "lark", "definition": "start: WORD"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        ({"type": "text"}, {"type": "text"}),
        ({"type": "grammar", "grammar": GRAMMAR}, {"type": "grammar", **GRAMMAR}),
        ({"type": "grammar", **GRAMMAR}, {"type": "grammar", **GRAMMAR}),
    ],
)
def test_custom_tools(sent: object, kept: object) -> None:
    (spec,) = parse_tools([custom(description="Runs", format=sent)], None).specs
    assert spec == ToolSpec("sql", "Runs", {}, custom=True, format=kept)  # type: ignore[arg-type]


def test_tools_that_are_not_ours_to_call() -> None:
    tools = [
        {"type": "web_search_preview_2025_03_11", "search_context_size": "low"},
        {"type": "function", "function": SEARCH},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "namespace", "tools": []},
        {"type": "web_search"},
    ]
    assert parse_tools(tools, None) == Toolset(
        (SPEC,),
        (Builtin("web_search", {"search_context_size": "low"}),),
        ("tools[2]", "tools[3]"),
        frozenset(tool["type"] for tool in tools),  # type: ignore[misc]
    )


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ("search", "tools[0]"),
        ({"function": SEARCH}, "tools[0].type"),
        ({"type": None}, "tools[0].type"),
        ({"type": "function"}, "tools[0].function"),
        ({"type": "function", "function": None}, "tools[0].function"),
        ({"type": "function", "function": {}}, "tools[0].function.name"),
        ({"type": "function", "name": "a b"}, "tools[0].name"),
        (function(name="a b"), "tools[0].function.name"),
        (function(name="a.b"), "tools[0].function.name"),
        (function(name=""), "tools[0].function.name"),
        (function(name="x" * 65), "tools[0].function.name"),
        (function(parameters="{}"), "tools[0].function.parameters"),
        ({"type": "custom", "custom": {}}, "tools[0].custom.name"),
        (custom(format="text"), "tools[0].custom.format"),
        (custom(format={"type": "xml"}), "tools[0].custom.format.type"),
        (custom(format={"type": "grammar"}), "tools[0].custom.format.syntax"),
        (
            custom(format={"type": "grammar", "grammar": {**GRAMMAR, "syntax": "bnf"}}),
            "tools[0].custom.format.grammar.syntax",
        ),
    ],
)
def test_a_malformed_tool(tool: object, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_tools([tool], None)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("tools", "functions", "param"),
    [
        ([function(), function()], None, "tools[1].function.name"),
        ([custom(), function(), function(name="sql")], None, "tools[2].function.name"),
        (None, [SEARCH, SEARCH], "functions[1].name"),
    ],
)
def test_two_tools_of_one_name(tools: Any, functions: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_tools(tools, functions)
    assert (caught.value.code, caught.value.param) == ("invalid_value", param)


# --- schemas


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": ["object", "null"]},
        {"properties": {}},
        {"type": "object", "properties": {}, "required": ["undeclared"]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"anyOf": [{"type": "object"}]},
        {"type": "object", "additionalProperties": True, "x-vendor": [1]},
    ],
)
def test_schemas_that_clients_send(schema: dict[str, Any]) -> None:
    (spec,) = parse_tools([function(parameters=schema)], None).specs
    assert spec.parameters == schema


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "string"}, False),
        ({"type": ["string", "null"]}, False),
        ({"type": None}, False),
        ({"type": "object", "properties": ["q"]}, False),
        ({"type": "object", "properties": {}, "required": "q"}, False),
        ({"type": "object", "properties": {}, "required": [1]}, False),
        ({"type": "object", "properties": {"q": {}}, "required": ["q", "x"]}, True),
    ],
)
def test_schemas_that_describe_no_arguments(schema: dict[str, Any], strict: bool) -> None:
    with pytest.raises(RequestError) as caught:
        parse_tools([function(parameters=schema, strict=strict)], None)
    assert (caught.value.status, caught.value.code, caught.value.param) == (
        400,
        "invalid_function_parameters",
        "tools[0].function.parameters",
    )


def test_strict_parameters_that_are_declared() -> None:
    check_parameters({**SCHEMA, "required": ["q"]}, "x", strict=True)
    with pytest.raises(RequestError, match="Invalid 'x'"):
        check_parameters({**SCHEMA, "required": ["p"]}, "x", strict=True)


# --- the choice


@pytest.mark.parametrize(
    ("choice", "path", "parsed"),
    [
        (None, "tool_choice", ToolChoice()),
        ("auto", "tool_choice", ToolChoice()),
        ("none", "tool_choice", ToolChoice("none")),
        ("required", "tool_choice", ToolChoice("required")),
        (function(name="search"), "tool_choice", ToolChoice("required", ("search",))),
        (
            {"type": "function", "name": "search"},
            "tool_choice",
            ToolChoice("required", ("search",)),
        ),
        (custom(), "tool_choice", ToolChoice("required", ("sql",))),
        ({"type": "web_search"}, "tool_choice", ToolChoice()),
        ("auto", "function_call", ToolChoice()),
        ("none", "function_call", ToolChoice("none")),
        ({"name": "search"}, "function_call", ToolChoice("required", ("search",))),
    ],
)
def test_choices(choice: object, path: str, parsed: ToolChoice) -> None:
    assert parse_choice(choice, TOOLS, path) == parsed


def allowed(*tools: object, **fields: Any) -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"tools": list(tools), **fields}}


@pytest.mark.parametrize(
    ("choice", "parsed"),
    [
        (allowed(function(name="now"), mode="auto"), ToolChoice("auto", ("now",))),
        (
            allowed(function(name="now"), custom(), function(name="now"), mode="required"),
            ToolChoice("required", ("now", "sql")),
        ),
        (allowed(function(name="now")), ToolChoice("auto", ("now",))),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "now"}],
            },
            ToolChoice("required", ("now",)),
        ),
        (allowed({"type": "mcp"}, custom()), ToolChoice("auto", ("sql",))),
        (allowed({"type": "mcp"}), ToolChoice("none")),
    ],
)
def test_allowed_tools(choice: object, parsed: ToolChoice) -> None:
    assert parse_choice(choice, TOOLS) == parsed


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_without_tools_there_is_little_to_choose(choice: Any) -> None:
    assert parse_choice(choice, Toolset()) == ToolChoice(choice or "auto")


def test_nobody_can_be_held_to_call_what_is_not_ours() -> None:
    hosted = parse_tools([{"type": "web_search"}, {"type": "mcp"}], None)
    assert parse_choice("required", hosted) == ToolChoice()


@pytest.mark.parametrize(
    ("choice", "toolset", "param"),
    [
        ("any", TOOLS, "tool_choice"),
        (5, TOOLS, "tool_choice"),
        ("required", Toolset(), "tool_choice"),
        (function(name="search"), Toolset(), "tool_choice"),
        (function(name="missing"), TOOLS, "tool_choice.function.name"),
        ({"type": "function", "function": {}}, TOOLS, "tool_choice.function.name"),
        ({"type": "function"}, TOOLS, "tool_choice.function"),
        (custom(name="missing"), TOOLS, "tool_choice.custom.name"),
        ({"type": "web", "function": {"name": "search"}}, TOOLS, "tool_choice.type"),
        ({"function": {"name": "search"}}, TOOLS, "tool_choice.type"),
        (allowed(), TOOLS, "tool_choice.allowed_tools.tools"),
        ({"type": "allowed_tools"}, TOOLS, "tool_choice.tools"),
        ({"type": "allowed_tools", "allowed_tools": 5}, TOOLS, "tool_choice.allowed_tools"),
        (allowed(custom(), mode="none"), TOOLS, "tool_choice.allowed_tools.mode"),
        (allowed("search"), TOOLS, "tool_choice.allowed_tools.tools[0]"),
        (allowed({"type": "shell"}), TOOLS, "tool_choice.allowed_tools.tools[0].type"),
        (allowed(allowed(custom())), TOOLS, "tool_choice.allowed_tools.tools[0].type"),
        (
            allowed(custom(), function(name="missing")),
            TOOLS,
            "tool_choice.allowed_tools.tools[1].function.name",
        ),
    ],
)
def test_a_choice_that_cannot_be_made(choice: Any, toolset: Toolset, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_choice(choice, toolset)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("choice", "param"),
    [("required", "function_call"), ({}, "function_call.name"), ([], "function_call")],
)
def test_a_legacy_choice_that_cannot_be_made(choice: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_choice(choice, TOOLS, "function_call")
    assert (caught.value.status, caught.value.param) == (400, param)
