"""A whole request: pairs of JSON and `Ask`, and what the documented ranges refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    JsonOutput,
    Limits,
    Message,
    ReplyTo,
    Sampling,
    Text,
    ToolChoice,
    ToolSpec,
)
from chat2api.dialects.openai_chat_request import IGNORED_LIMIT, parse_request
from chat2api.dialects.protocol import Ask
from chat2api.errors import MissingParameter, RequestError, Unsupported

HI = [{"role": "user", "content": "Hi"}]
PLAIN = Conversation("auto", (Message("user", (Text("Hi"),)),))
TOOL = {"type": "function", "function": {"name": "f"}}
SPEC = ToolSpec("f", "", {"type": "object", "properties": {}})


def parsed(**fields: Any) -> Ask:
    return parse_request({"messages": HI, **fields})


def test_the_least_request() -> None:
    assert parse_request({"messages": HI}) == Ask(PLAIN)


@pytest.mark.parametrize("model", [None, ""])
def test_a_missing_model_means_auto(model: object) -> None:
    assert parsed(model=model) == Ask(PLAIN)


@pytest.mark.parametrize(
    ("fields", "conversation"),
    [
        ({"model": "gpt-4o"}, {"model": "gpt-4o"}),
        ({"model": "g-Ab12 新"}, {"model": "g-Ab12 新"}),
        ({"max_tokens": 5}, {"limits": Limits(5)}),
        ({"max_completion_tokens": 7}, {"limits": Limits(7)}),
        ({"max_tokens": 5, "max_completion_tokens": 7}, {"limits": Limits(7)}),
        ({"max_tokens": 5, "max_completion_tokens": None}, {"limits": Limits(5)}),
        ({"stop": "\n"}, {"limits": Limits(stop=("\n",))}),
        ({"stop": ["a", "bc"]}, {"limits": Limits(stop=("a", "bc"))}),
        ({"stop": []}, {}),
        ({"stop": None}, {}),
        ({"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"user": "ann"}, {"user": "ann"}),
        ({"history_disabled": True}, {"keep_history": False}),
        ({"history_disabled": False}, {"keep_history": True}),
        ({"history_disabled": None}, {"keep_history": None}),
        ({"conversation_id": "c-1"}, {"reply_to": ReplyTo("c-1")}),
        (
            {"conversation_id": "c-1", "parent_message_id": "m_2"},
            {"reply_to": ReplyTo("c-1", "m_2")},
        ),
        ({"conversation_id": "", "parent_message_id": ""}, {}),
        ({"parent_message_id": "m_2"}, {}),
        ({"chatgpt_account_id": "ws-1"}, {"workspace_id": "ws-1"}),
        ({"Chatgpt-Account-Id": "ws-1"}, {"workspace_id": "ws-1"}),
        ({"ChatGPT-Account-ID": "ws-1"}, {"workspace_id": "ws-1"}),
        ({"tools": [TOOL]}, {"tools": (SPEC,)}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            {"tools": (SPEC,), "tool_choice": ToolChoice("required")},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tools": (SPEC,), "parallel_tool_calls": False},
        ),
        ({"tools": [TOOL], "parallel_tool_calls": None}, {"tools": (SPEC,)}),
        ({"tools": [TOOL], "functions": [{"name": "g"}]}, {"tools": (SPEC,)}),
        (
            {"tools": [{"type": "web_search", "filters": {}}], "web_search_options": {}},
            {"builtins": (Builtin("web_search", {"filters": {}}),)},
        ),
        (
            {"web_search_options": {"search_context_size": "low"}},
            {"builtins": (Builtin("web_search", {"search_context_size": "low"}),)},
        ),
        ({"web_search_options": None}, {}),
        ({"response_format": None}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"response_format": {"type": "json_object"}}, {"output": JsonOutput()}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "city"}}},
            {"output": JsonOutput(None, "city")},
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "city",
                        "description": "A city",
                        "strict": True,
                        "schema": {"type": "object"},
                    },
                }
            },
            {"output": JsonOutput({"type": "object"}, "city", "A city", strict=True)},
        ),
        (
            {
                "temperature": 2,
                "top_p": 0,
                "frequency_penalty": -2,
                "presence_penalty": 2.0,
                "seed": -5,
                "logit_bias": {"50256": -100},
                "verbosity": "low",
            },
            {"sampling": Sampling(2, 0, -2, 2.0, -5, {"50256": -100}, "low")},
        ),
        ({"temperature": None, "logit_bias": {}}, {}),
    ],
)
def test_what_shapes_the_turn(fields: dict[str, Any], conversation: dict[str, Any]) -> None:
    assert parsed(**fields) == Ask(replace(PLAIN, **conversation))


@pytest.mark.parametrize(
    ("fields", "ask"),
    [
        ({"stream": True}, Ask(PLAIN, stream=True)),
        ({"stream": None, "n": None}, Ask(PLAIN)),
        ({"n": 8}, Ask(PLAIN, choices=8)),
        (
            {"stream": True, "stream_options": {"include_usage": True}},
            Ask(PLAIN, stream=True, include_usage=True),
        ),
        (
            {"stream": True, "stream_options": {"include_usage": None}},
            Ask(PLAIN, stream=True),
        ),
        (
            {"stream": True, "stream_options": {"include_obfuscation": False}},
            Ask(PLAIN, stream=True),
        ),
    ],
)
def test_what_shapes_the_telling(fields: dict[str, Any], ask: Ask) -> None:
    assert parsed(**fields) == ask


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, ToolChoice()),
        ({"function_call": "none"}, ToolChoice("none")),
        ({"function_call": {"name": "f"}}, ToolChoice("required", ("f",))),
        ({"function_call": "none", "tool_choice": "auto"}, ToolChoice()),
    ],
)
def test_legacy_functions(fields: dict[str, Any], choice: ToolChoice) -> None:
    """The answer has room for one call, so no more are asked for."""
    conversation = replace(PLAIN, tools=(SPEC,), tool_choice=choice, parallel_tool_calls=False)
    assert parsed(functions=[{"name": "f"}], **fields) == Ask(conversation, legacy_functions=True)


def test_what_changes_no_answer_is_accepted_without_a_word() -> None:
    ask = parsed(
        metadata={"a": "b"},
        store=True,
        user=None,
        prompt_cache_key="k",
        prompt_cache_retention="24h",
        safety_identifier="s",
        service_tier="auto",
        logprobs=False,
        top_logprobs=0,
        modalities=["text"],
        prediction=None,
    )
    assert ask == Ask(PLAIN)


def test_what_nobody_takes_is_named() -> None:
    ask = parsed(
        tools=[{"type": "mcp"}, TOOL],
        service_tier="priority",
        top_logprobs=5,
        logprobs=True,
        prediction={"type": "content", "content": "x"},
        audio={"voice": "alloy"},
        top_k=40,
        **{"Evil\r\nX-Header: 1": 1, "é": 2, "a" * 65: 3},
    )
    assert ask == Ask(
        replace(PLAIN, tools=(SPEC,)),
        ignored=(
            *("logprobs", "top_logprobs", "service_tier"),
            *("prediction", "audio", "top_k", "tools[0]"),
        ),
    )


def test_the_names_of_the_ignored_fit_into_a_header() -> None:
    ask = parsed(**{f"{'x' * 60}{number}": 1 for number in range(1_000)})
    assert len(ask.ignored) == IGNORED_LIMIT


def test_ids_of_ours_are_not_ignored_under_any_spelling() -> None:
    for name in ("chatgpt_account_id", "Chatgpt-Account-Id", "ChatGPT-Account-ID"):
        assert parsed(**{name: "ws"}).ignored == ()
    assert parsed(workspace_id="ws") == Ask(PLAIN, ignored=("workspace_id",))


def test_answers_are_text() -> None:
    with pytest.raises(Unsupported) as caught:
        parsed(modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"})
    assert (caught.value.status, caught.value.param) == (400, "modalities")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": HI * 10_001}, "messages"),
        (
            {"messages": [*HI, {"role": "user", "content": [{"type": "x"}]}]},
            "messages[1].content[0].type",
        ),
        ({"model": 4}, "model"),
        ({"model": "a" * 257}, "model"),
        ({"model": "gpt\r\nX-Evil: 1"}, "model"),
        ({"n": 0}, "n"),
        ({"n": 9}, "n"),
        ({"n": 1000}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ""}, "stop[0]"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stop": ["a", None]}, "stop[1]"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stop": "a" * 1025}, "stop[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"frequency_penalty": -2.1}, "frequency_penalty"),
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logit_bias": {"5": "x"}}, "logit_bias.5"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"verbosity": "loud"}, "verbosity"),
        ({"logprobs": "yes"}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"modalities": "text"}, "modalities"),
        ({"service_tier": 5}, "service_tier"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"web_search_options": True}, "web_search_options"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"user": "a" * 257}, "user"),
        ({"user": "a\x00"}, "user"),
        ({"user": 7}, "user"),
        ({"metadata": "x"}, "metadata"),
        ({"store": "x"}, "store"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function", "function": {"name": "é"}}]}, "tools[0].function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL, TOOL]}, "tools[1].function.name"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "response_format.json_schema.name",
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "x", "schema": True},
                }
            },
            "response_format.json_schema.schema",
        ),
        ({"history_disabled": "no"}, "history_disabled"),
        ({"conversation_id": "../x"}, "conversation_id"),
        ({"conversation_id": "a" * 65}, "conversation_id"),
        ({"conversation_id": 5}, "conversation_id"),
        ({"conversation_id": "c", "parent_message_id": "m\n"}, "parent_message_id"),
        ({"chatgpt_account_id": "a,b"}, "chatgpt_account_id"),
        ({"Chatgpt-Account-Id": "a\r\nb"}, "Chatgpt-Account-Id"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parsed(**fields)
    assert (caught.value.status, caught.value.code) in {
        (400, "invalid_value"),
        (400, "missing_required_parameter"),
    }
    assert caught.value.param == param
    assert param in caught.value.message or "Supported values are" in caught.value.message


def test_messages_are_required() -> None:
    with pytest.raises(MissingParameter) as caught:
        parse_request({"model": "gpt-4o"})
    assert caught.value.message == "Missing required parameter: 'messages'."


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_object(body: Any) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(body)
    assert (caught.value.status, caught.value.param) == (400, None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
FIELDS = [
    *("model", "messages", "stream", "stream_options", "n", "max_tokens", "stop", "temperature"),
    *("tools", "tool_choice", "functions", "function_call", "response_format", "logit_bias"),
    *("parallel_tool_calls", "web_search_options", "modalities", "logprobs", "verbosity", "top_k"),
    *("user", "conversation_id", "parent_message_id", "chatgpt_account_id", "reasoning_effort"),
]


def outcome(body: dict[str, Any]) -> Ask | RequestError:
    try:
        return parse_request(body)
    except RequestError as error:
        return error


@given(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6))
def test_any_junk_is_parsed_or_refused_and_never_breaks(body: dict[str, Any]) -> None:
    result = outcome(body)
    if isinstance(result, RequestError):
        assert result.status == 400
        assert orjson.dumps(result.message)


message_keys = st.sampled_from(
    ["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "function_call"]
)
roles = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])
parts = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio", "file", "refusal"])},
    optional=dict.fromkeys(("text", "image_url", "input_audio", "file", "refusal"), json_values),
)


@given(
    st.lists(
        st.builds(
            lambda junk, role, content: {**junk, "role": role, "content": content},
            st.dictionaries(message_keys, json_values, max_size=3),
            roles,
            st.text(max_size=5) | st.none() | st.lists(parts, max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_messages_are_parsed_or_refused_by_path(messages: list[dict[str, Any]]) -> None:
    result = outcome({"messages": messages})
    if isinstance(result, Ask):
        assert len(result.conversation.messages) == len(messages)
    else:
        assert result.param is not None
        assert result.param.startswith("messages[")
