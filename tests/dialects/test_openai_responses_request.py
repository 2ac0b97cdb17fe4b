"""A Responses request: what it asks, what is repeated of it, and what is wrong with bad ones."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    JsonOutput,
    Limits,
    Message,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from chat2api.dialects.openai_responses_request import IGNORED_LIMIT, parse_request
from chat2api.dialects.protocol import Ask
from chat2api.errors import RequestError

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
OTHER = {"type": "function", "name": "g", "parameters": {"type": "object"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def ask(**fields: Any) -> Ask:
    return parse_request({"model": "gpt-5", "input": "Hi", **fields})


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def test_the_smallest_request() -> None:
    read = parse_request({"input": "Hi"})
    assert read.conversation == Conversation("auto", (user("Hi"),))
    assert (read.stream, read.choices, read.include_usage, read.ignored) == (False, 1, True, ())


def test_everything_a_request_can_say() -> None:
    read = ask(
        instructions="Be brief.",
        stream=True,
        stream_options={"include_obfuscation": False},
        max_output_tokens=64,
        temperature=0.5,
        top_p=1,
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        reasoning={"effort": "high", "summary": "auto"},
        text={"verbosity": "low"},
        tools=[FUNCTION, {"type": "web_search"}, {"type": "image_generation", "size": "auto"}],
        tool_choice="required",
        parallel_tool_calls=False,
        user="u-1",
        truncation="disabled",
        service_tier="auto",
        include=["reasoning.encrypted_content"],
    )
    assert read.conversation == Conversation(
        "gpt-5",
        (Message("system", (Text("Be brief."),)), user("Hi")),
        limits=Limits(64),
        reasoning_effort="high",
        tools=(ToolSpec("f", "", {"type": "object"}),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        builtins=(Builtin("web_search", {}), Builtin("image_generation", {"size": "auto"})),
        sampling=Sampling(0.5, 1.0, -0.1, 0.1, verbosity="low"),
        user="u-1",
    )
    assert read.stream
    assert read.ignored == ()


@pytest.mark.parametrize(
    ("fmt", "output"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonOutput()),
        ({"type": "json_schema", "name": "n", "schema": SCHEMA}, JsonOutput(SCHEMA, "n")),
        (
            {
                "type": "json_schema",
                "name": "n",
                "schema": SCHEMA,
                "strict": True,
                "description": "d",
            },
            JsonOutput(SCHEMA, "n", "d", strict=True),
        ),
    ],
)
def test_forms_of_the_answer(fmt: dict[str, Any], output: JsonOutput | None) -> None:
    assert ask(text={"format": fmt}).conversation.output == output


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolChoice()),
        ("none", ToolChoice("none")),
        ({"type": "function", "name": "g"}, ToolChoice("required", ("g",))),
        ({"type": "custom", "name": "c"}, ToolChoice("required", ("c",))),
        ({"type": "web_search_preview"}, ToolChoice()),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}],
            },
            ToolChoice("auto", ("f", "c")),
        ),
    ],
)
def test_choices_of_a_tool(choice: Any, expected: ToolChoice) -> None:
    tools = [FUNCTION, OTHER, {"type": "custom", "name": "c"}, {"type": "web_search_preview"}]
    assert ask(tools=tools, tool_choice=choice).conversation.tool_choice == expected


def test_a_turn_goes_on_from_what_was_kept() -> None:
    context = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
    ]
    read = parse_request(
        {
            "previous_response_id": "resp_1",
            "instructions": "New.",
            "input": [{"type": "function_call_output", "call_id": "a", "output": "1"}],
        },
        context,
    )
    assert read.conversation.messages == (
        Message("system", (Text("New."),)),
        user("Go"),
        Message("assistant", (ToolCall("a", "f", "{}"),)),
        Message("tool", (ToolResult("a", "1"),)),
    )
    assert read.echo["previous_response_id"] == "resp_1"
    assert [item["type"] for item in read.echo["input"]] == ["function_call_output"]


def test_references_are_resolved_in_both_forms() -> None:
    kept = {
        "type": "message",
        "id": "msg_1",
        "role": "user",
        "content": [{"type": "input_text", "text": "A"}],
    }
    read = parse_request(
        {"input": [{"type": "item_reference", "id": "msg_1"}]}, (), lambda item: [kept]
    )
    assert read.conversation.messages == (user("A"),)
    assert read.echo["input"] == [kept]


def test_an_empty_id_of_an_earlier_response_is_none() -> None:
    read = parse_request({"input": "Hi", "previous_response_id": ""})
    assert read.echo["previous_response_id"] is None


@pytest.mark.parametrize("body", [{"instructions": "Greet."}, {"previous_response_id": "resp_1"}])
def test_input_may_be_left_out_where_something_else_is_said(body: dict[str, Any]) -> None:
    assert parse_request(body).echo["input"] == []


# --- what the answer repeats


def test_defaults_of_what_is_repeated() -> None:
    echo = dict(ask().echo)
    assert echo.pop("input") == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    ]
    assert echo == {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "truncation": "disabled",
        "user": None,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instructions", "Be brief."),
        ("metadata", {"a": "b"}),
        ("store", False),
        ("temperature", 0.0),
        ("top_p", 0.0),
        ("truncation", "auto"),
        ("parallel_tool_calls", False),
        ("prompt_cache_key", "k"),
        ("safety_identifier", "s"),
        ("max_tool_calls", 3),
        ("top_logprobs", 2),
        ("user", "u"),
    ],
)
def test_what_was_said_is_repeated(name: str, value: Any) -> None:
    assert ask(**{name: value}).echo[name] == value


def test_a_schema_is_repeated_with_every_documented_field() -> None:
    fmt = {"type": "json_schema", "name": "n", "schema": SCHEMA, "x": 1}
    assert ask(text={"format": fmt}).echo["text"]["format"] == {
        "type": "json_schema",
        "name": "n",
        "description": None,
        "schema": SCHEMA,
        "strict": False,
    }


# --- what nobody takes


def test_what_nobody_takes_is_named() -> None:
    read = ask(
        top_logprobs=2,
        max_tool_calls=1,
        truncation="auto",
        service_tier="flex",
        context_management=[{"type": "compaction"}],
        moderation=None,
        tools=[{"type": "local_shell"}],
        input=[{"role": "user", "content": "Hi"}, {"type": "web_search_call", "id": "ws_1"}],
        **{"bad\r\nname": 1},
    )
    assert read.ignored == (
        "top_logprobs",
        "max_tool_calls",
        "truncation",
        "service_tier",
        "context_management",
        "tools[0]",
        "web_search_call",
    )


def test_a_header_has_room_for_so_many_names() -> None:
    assert len(ask(**{f"x{number}": 1 for number in range(100)}).ignored) == IGNORED_LIMIT


# --- what is wrong


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [{"role": "user", "content": []}]}, "input", "invalid_value"),
        ({"input": 5}, "input", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        ({"model": 5}, "model", "invalid_value"),
        ({"instructions": ["x"]}, "instructions", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_value"),
        ({"temperature": 2.1}, "temperature", "invalid_value"),
        ({"top_p": -1}, "top_p", "invalid_value"),
        ({"top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"max_tool_calls": 0}, "max_tool_calls", "invalid_value"),
        ({"truncation": "middle"}, "truncation", "invalid_value"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"text": {"verbosity": "loud"}}, "text.verbosity", "invalid_value"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"text": {"format": {}}}, "text.format.type", "missing_required_parameter"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_value"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "invalid_value"),
        ({"metadata": {"k" * 65: ""}}, "metadata", "invalid_value"),
        ({"metadata": {"k": "v" * 513}}, "metadata", "invalid_value"),
        ({"include": "x"}, "include", "invalid_value"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "h"}},
            "tool_choice.name",
            "invalid_value",
        ),
        ({"background": True}, "background", "unsupported_value"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_value"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_value"),
        ({"previous_response_id": 5}, "previous_response_id", "invalid_value"),
    ],
)
def test_bad_requests(fields: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        ask(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_background_and_the_like_may_be_null_or_off() -> None:
    assert ask(background=False, conversation=None, prompt=None).ignored == ()


def test_what_codex_sends() -> None:
    read = parse_request(
        {
            "model": "gpt-5.5",
            "input": [
                {
                    "type": "message",
                    "role": "developer",
                    "content": [{"type": "input_text", "text": "Base."}],
                },
                {
                    "type": "message",
                    "id": "msg_1",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Go"}],
                },
                {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "a",
                    "name": "exec_command",
                    "arguments": "{}",
                },
                {"type": "function_call_output", "call_id": "a", "output": "ok"},
            ],
            "tools": [
                {"type": "function", "name": "exec_command", "strict": False, "parameters": {}},
                {"type": "namespace", "name": "goals", "description": "", "tools": [FUNCTION]},
                {"type": "web_search", "external_web_access": False},
                {"type": "custom", "name": "apply_patch", "format": {"type": "text"}},
            ],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "reasoning": {"summary": "auto"},
            "store": False,
            "stream": True,
            "include": ["reasoning.encrypted_content"],
            "prompt_cache_key": "k",
            "client_metadata": {"x": "y"},
        }
    )
    conversation = read.conversation
    assert [message.role for message in conversation.messages] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert [tool.name for tool in conversation.tools] == ["exec_command", "apply_patch", "f"]
    assert conversation.builtins == (Builtin("web_search", {"external_web_access": False}),)
    assert read.ignored == ("client_metadata",)
    assert read.echo["store"] is False
