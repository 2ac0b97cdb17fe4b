"""Bodies of chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.compat.asking import Wrong, parse
from chat2api.simulator.mind.situation import Line, Tool

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CUSTOM = {"type": "custom", "custom": {"name": "c", "description": "any text"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def asked(*messages: Any, **fields: Any) -> Any:
    said = messages or ({"role": "user", "content": "Hello"},)
    return parse({"model": "m", "messages": list(said), **fields})


def test_the_least() -> None:
    it = asked()
    assert (it.model, it.stream, it.include_usage, it.choices) == ("m", False, False, 1)
    assert (it.max_tokens, it.stop, it.prompt) == (None, (), Line("user", "Hello"))
    assert it.situation.tools == ()


def test_a_conversation_with_tools() -> None:
    it = asked(
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "12"},
        tools=[FUNCTION, CUSTOM],
    )
    assert it.situation.lines == (
        Line("system", "Be kind."),
        Line("user", "ab"),
        Line("assistant", ""),
        Line("result", "12", "f"),
    )
    assert it.situation.tools == (
        Tool("f", "", {"type": "object"}),
        Tool("c", "any text", None),
    )


@pytest.mark.parametrize(
    ("choice", "names", "must", "named"),
    [
        (None, "fc", False, None),
        ("auto", "fc", False, None),
        ("none", "", False, None),
        ("required", "fc", True, None),
        ({"type": "function", "function": {"name": "f"}}, "f", True, "f"),
        ({"type": "custom", "custom": {"name": "c"}}, "c", True, "c"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CUSTOM]}},
            "c",
            False,
            None,
        ),
    ],
)
def test_the_choice_of_tools(choice: Any, names: str, must: bool, named: str | None) -> None:
    situation = asked(tools=[FUNCTION, CUSTOM], tool_choice=choice).situation
    assert "".join(tool.name for tool in situation.tools) == names
    assert (situation.must_call, situation.named) == (must, named)


def test_forms_limits_and_switches() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}
    it = asked(
        response_format=form,
        stop="x",
        max_tokens=5,
        n=2,
        stream=True,
        stream_options={"include_usage": True},
        parallel_tool_calls=False,
    )
    situation = it.situation
    assert (situation.wants_json, situation.schema) == (True, {"type": "array"})
    assert not situation.parallel
    assert (it.stop, it.max_tokens, it.choices) == (("x",), 5, 2)
    assert (it.stream, it.include_usage) == (True, True)
    assert asked(response_format={"type": "json_object"}).situation.wants_json
    assert not asked(response_format={"type": "text"}).situation.wants_json
    assert asked(max_completion_tokens=3, max_tokens=5).max_tokens == 3


def test_pictures_are_described() -> None:
    def part(url: str) -> Any:
        return {"type": "image_url", "image_url": {"url": url}}

    content = [
        part("data:image/png;base64,QUJD"),
        part("https://x.test/a.png"),
        {"type": "file", "file": {}},
    ]
    line = asked({"role": "user", "content": content}).prompt
    assert line.pictures == ("a picture of 3 bytes", "a picture at https://x.test/a.png", "a file")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 7}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"]}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "tool_call_id": {}}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "tool_calls": 7}]}, "messages[0].tool_calls"),
        ({"stream_options": "usage"}, "stream_options"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": [1]}}]},
            "parameters",
        ),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, "messages[0].role"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [CALL]}, {"role": "user"}]},
            "messages[1]",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "x"}]}]},
            "messages[0].tool_calls",
        ),
        ({"tools": [{"type": "laser"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": {"a": 1}}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {"type": "function", "function": {"name": "g"}},
            },
            "tool_choice",
        ),
        ({"response_format": {"type": "poem"}}, "response_format"),
        ({"n": 0}, "n"),
        ({"n": 99}, "n"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(fields: Any, param: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields})
    assert caught.value.param == param
