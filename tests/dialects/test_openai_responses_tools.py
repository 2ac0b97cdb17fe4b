"""The tools of a Responses request: kinds, names, and what the answer repeats of them."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import Builtin, ToolSpec
from chat2api.dialects.openai_responses_tools import Home, read_tools, told_tools, tool_homes
from chat2api.errors import RequestError

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
EMPTY = {"type": "object", "properties": {}}


def function(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **fields}


def test_functions_and_custom_tools_stand_flat() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
    toolset = read_tools(
        [
            function("search", description="Find", parameters=SCHEMA, strict=True),
            function("now", description=None, parameters=None, strict=None),
            {"type": "custom", "name": "apply_patch", "description": "P", "format": grammar},
            {"type": "custom", "name": "say"},
        ]
    )
    assert toolset.specs == (
        ToolSpec("search", "Find", SCHEMA, strict=True),
        ToolSpec("now", "", EMPTY),
        ToolSpec("apply_patch", "P", {}, custom=True, format=grammar),
        ToolSpec("say", "", {}, custom=True),
    )
    assert toolset.types == {"function", "custom"}
    assert toolset.ignored == ()


@pytest.mark.parametrize(
    "spelling", ["web_search", "web_search_preview", "web_search_preview_2025_03_11"]
)
def test_search_and_pictures_are_tools_of_the_upstream(spelling: str) -> None:
    toolset = read_tools(
        [{"type": spelling, "search_context_size": "low"}, {"type": "image_generation"}]
    )
    assert toolset.builtins == (
        Builtin("web_search", {"search_context_size": "low"}),
        Builtin("image_generation", {}),
    )
    assert toolset.specs == ()


def test_kinds_that_nobody_else_knows_are_named_and_left_out() -> None:
    toolset = read_tools(
        [function(), {"type": "local_shell"}, {"type": "mcp", "server_label": "x"}]
    )
    assert [spec.name for spec in toolset.specs] == ["f"]
    assert toolset.ignored == ("tools[1]", "tools[2]")
    assert toolset.types == {"function", "local_shell", "mcp"}


SPACES = [
    {"type": "namespace", "name": "git", "tools": [function("log"), function("search")]},
    {"type": "namespace", "name": "web", "tools": [function("search"), {"type": "tool_x"}]},
    function("search"),
]


def test_tools_of_namespaces_keep_their_names_where_those_are_free() -> None:
    toolset = read_tools(SPACES)
    names = ["search", "log", "git__search", "web__search"]
    assert [spec.name for spec in toolset.specs] == names
    assert toolset.ignored == ("tools[1].tools[1]",)
    assert tool_homes(SPACES) == {
        "log": Home("log", "git"),
        "git__search": Home("search", "git"),
        "web__search": Home("search", "web"),
    }
    assert tool_homes([function("search")]) == {}


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        (["f"], "tools[0]"),
        ([{}], "tools[0].type"),
        ([{"type": 1}], "tools[0].type"),
        ([{"type": "function"}], "tools[0].name"),
        ([function("a b")], "tools[0].name"),
        ([function("f\n")], "tools[0].name"),
        ([function("f" * 129)], "tools[0].name"),
        ([function(), function()], "tools[1].name"),
        ([function(parameters=[])], "tools[0].parameters"),
        ([function(parameters={"type": "string"})], "tools[0].parameters"),
        ([{"type": "custom", "name": "c", "format": {"type": "xml"}}], "tools[0].format.type"),
        ([{"type": "namespace", "name": "n"}], "tools[0].tools"),
        ([{"type": "namespace", "name": "n", "tools": [{}]}], "tools[0].tools[0].type"),
        ([{"type": "namespace", "name": "n", "tools": [function("?")]}], "tools[0].tools[0].name"),
    ],
)
def test_malformed_tools(tools: list[Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_tools(tools)
    assert caught.value.param == param


def test_the_answer_repeats_functions_with_every_field_and_others_as_they_came() -> None:
    search = {"type": "web_search", "filters": {"allowed_domains": ["a.test"]}}
    assert told_tools([function(defer_loading=True), search]) == [
        {
            "type": "function",
            "name": "f",
            "description": None,
            "parameters": None,
            "strict": False,
        },
        search,
    ]
    assert told_tools(None) == []
