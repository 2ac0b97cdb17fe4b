"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.codex.catalog import Model, find
from chat2api.simulator.codex.tooling import Choice, chosen, offered
from chat2api.simulator.mind.situation import Tool

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FUNCTION = {"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}
CUSTOM = {"type": "custom", "name": "c", "description": "any text"}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /./"}


def model(slug: str = "gpt-5.5") -> Model:
    found = find(slug, "plus")
    assert found is not None
    return found


def offer(*tools: Any) -> Any:
    return offered(list(tools), model(), paid=True)


def test_functions_custom_tools_and_namespaces() -> None:
    space = {"type": "namespace", "name": "files", "tools": [{**FUNCTION, "name": "read"}]}
    found = offer(FUNCTION, {**CUSTOM, "format": GRAMMAR}, space, {"type": "local_shell"})
    assert found.tools == (
        Tool("f", "", SCHEMA),
        Tool("c", "any text", None),
        Tool("read", "", SCHEMA),
    )
    assert found.spaces == {"read": "files"}


def test_hosted_tools() -> None:
    picture = {"type": "image_generation", "output_format": "png"}
    found = offer({"type": "web_search"}, picture)
    assert (found.tools, found.hosted["image_generation"]) == ((), picture)


@pytest.mark.parametrize("strict", [None, True])
def test_optional_properties_need_strict_to_be_false(strict: Any, refusal: Any) -> None:
    tool = {**FUNCTION, "strict": strict}
    if strict is None:
        del tool["strict"]
    _, body = refusal(lambda: offer(tool))
    assert body["error"]["code"] == "invalid_function_parameters"
    assert "Missing 'a'" in body["error"]["message"]
    whole = {**SCHEMA, "required": ["a"], "additionalProperties": False}
    assert offer({**tool, "parameters": whole}).tools


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "function", "function": {"name": "f"}}, "tools[0].name"),
        ({**FUNCTION, "name": "a.b"}, "tools[0].name"),
        ({**FUNCTION, "name": "x" * 65}, "tools[0].name"),
        ({**FUNCTION, "parameters": {}}, "tools[0].parameters"),
        ({"type": "function", "name": "f"}, "tools[0].parameters"),
        (
            {**FUNCTION, "strict": True, "parameters": {"type": "object"}},
            "tools[0].parameters",
        ),
        ({**CUSTOM, "format": {"type": "grammar", "syntax": "bnf"}}, "tools[0].format"),
        ({"type": "namespace", "name": "files"}, "tools[0].tools"),
        ({"type": "namespace", "tools": []}, "tools[0].name"),
    ],
)
def test_tools_that_are_wrong(tool: Any, param: str, refusal: Any) -> None:
    status, body = refusal(lambda: offer(tool))
    assert (status, body["error"]["param"]) == (400, param)


@pytest.mark.parametrize("kind", ["web_search_preview", "file_search", "mcp", None])
def test_tools_that_are_not_here(kind: Any, refusal: Any) -> None:
    assert refusal(lambda: offer({"type": kind})) == (
        400,
        {"detail": f"Unsupported tool type: {kind}"},
    )


def test_pictures_are_not_for_everybody(refusal: Any) -> None:
    tools = [{"type": "image_generation"}]
    assert refusal(lambda: offered(tools, model(), paid=False))[0] == 400
    spark = model("gpt-5.3-codex-spark")
    assert refusal(lambda: offered(tools, spark, paid=True))[0] == 400


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, Choice("auto")),
        ("none", Choice("none")),
        ("required", Choice("required")),
        ({"type": "function", "name": "f"}, Choice("required", frozenset("f"))),
        ({"type": "custom", "name": "c"}, Choice("required", frozenset("c"))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "c"}]},
            Choice("auto", frozenset("c")),
        ),
    ],
)
def test_choices(choice: Any, expected: Choice) -> None:
    assert chosen(choice, offer(FUNCTION, CUSTOM)) == expected


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ({"type": "function", "name": "g"}, "Tool choice 'function' not found"),
        ({"type": "image_generation"}, "Tool choice 'image_generation' not found"),
        ({"type": "function", "function": {"name": "f"}}, "not found in 'tools' parameter"),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, "'allowed_tools' not found"),
        ("any", "Invalid value"),
    ],
)
def test_choices_that_cannot_be(choice: Any, text: str, refusal: Any) -> None:
    _, body = refusal(lambda: chosen(choice, offer(FUNCTION, {"type": "image_generation"})))
    assert body["error"]["param"] == "tool_choice"
    assert text in body["error"]["message"]


def test_required_needs_a_tool(refusal: Any) -> None:
    assert refusal(lambda: chosen("required", offer()))[0] == 400
    assert chosen("required", offer({"type": "web_search"})).mode == "required"
