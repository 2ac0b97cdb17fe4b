"""A Messages request to an `Ask`."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    Limits,
    Message,
    Sampling,
    Text,
    ToolChoice,
)
from chat2api.dialects.anthropic_request import THINKING, parse_prompt, parse_request
from chat2api.dialects.protocol import Ask
from chat2api.errors import MissingParameter, RequestError

HELLO = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def parsed(**more: Any) -> Ask:
    return parse_request({"model": "claude-x", "max_tokens": 9, "messages": HELLO, **more})


def refusal(**more: Any) -> str | None:
    with pytest.raises(RequestError) as caught:
        parsed(**more)
    return caught.value.param


def test_the_plainest_request() -> None:
    assert parsed() == Ask(
        Conversation("claude-x", (Message("user", (Text("Hi"),)),), limits=Limits(9)),
        include_usage=True,
        echo={THINKING: False},
    )


def test_what_is_asked() -> None:
    tool = {"name": "now", "input_schema": {}}
    ask = parsed(
        stream=True,
        system="Be brief.",
        stop_sequences=["END"],
        temperature=1,
        top_p=0.5,
        metadata={"user_id": "u"},
        tools=[tool],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    conversation = ask.conversation
    assert ask.stream
    assert [message.role for message in conversation.messages] == ["system", "user"]
    assert conversation.limits == Limits(9, ("END",))
    assert conversation.sampling == Sampling(temperature=1, top_p=0.5)
    assert conversation.user == "u"
    assert conversation.tool_choice == ToolChoice("required")
    assert not conversation.parallel_tool_calls
    assert [spec.name for spec in conversation.tools] == ["now"]


def test_a_long_name_of_a_user_is_hashed() -> None:
    first, second, short = (
        parsed(metadata={"user_id": name}).conversation.user or ""
        for name in ("u" * 65, "v" * 65, "u" * 64)
    )
    assert (len(first), len(second), short) == (64, 64, "u" * 64)
    assert len({first, second, short}) == 3
    assert parsed(metadata={}).conversation.user is None


def test_without_a_model_the_upstream_chooses() -> None:
    body = {"max_tokens": 1, "messages": HELLO}
    assert parse_request(body).conversation.model == "auto"


def test_max_tokens_must_be_given() -> None:
    with pytest.raises(MissingParameter) as caught:
        parse_request({"model": "x", "messages": HELLO})
    assert caught.value.param == "max_tokens"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "9"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": -1}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"system": 7}, "system"),
        ({"thread": {"type": "create"}}, "thread"),
    ],
)
def test_requests_that_are_refused(more: dict[str, Any], param: str) -> None:
    assert refusal(**more) == param


@pytest.mark.parametrize(
    ("more", "effort", "told"),
    [
        ({}, None, False),
        ({"thinking": {"type": "disabled"}}, None, False),
        ({"thinking": {"type": "adaptive"}}, None, True),
        ({"thinking": {"type": "enabled"}}, None, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "none", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 512}}, "minimal", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1025}}, "medium", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 24_576}}, "high", True),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "xhigh", True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, None, False),
        (
            {
                "thinking": {"type": "enabled", "budget_tokens": 512},
                "output_config": {"effort": "high"},
            },
            "high",
            True,
        ),
        ({"output_config": {"effort": "max"}}, "max", False),
    ],
)
def test_thinking(more: dict[str, Any], effort: str | None, told: bool) -> None:
    ask = parsed(**more)
    assert (ask.conversation.reasoning_effort, ask.echo[THINKING]) == (effort, told)


@pytest.mark.parametrize(
    "more",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_answers_in_json(more: dict[str, Any]) -> None:
    assert parsed(**more).conversation.output == JsonOutput(SCHEMA, strict=True)


def test_what_nobody_here_uses_is_named() -> None:
    ask = parsed(
        top_k=5,
        mcp_servers=[{"type": "url", "url": "https://x.test", "name": "x"}],
        context_management={"edits": []},
        container="c",
        service_tier="auto",
        tools=[{"type": "bash_20250124", "name": "bash"}],
        unheard_of=1,
    )
    assert ask.ignored == (
        "top_k",
        "mcp_servers",
        "context_management",
        "container",
        "tools.bash_20250124",
    )
    assert parsed(mcp_servers=[], context_management=None).ignored == ()


def test_a_prompt_to_be_counted_needs_no_limit() -> None:
    conversation = parse_prompt({"model": "x", "messages": HELLO, "system": "Be brief."})
    assert conversation.limits == Limits()
    assert [message.text for message in conversation.messages] == ["Be brief.", "Hi"]
