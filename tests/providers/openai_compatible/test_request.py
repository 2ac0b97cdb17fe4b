"""Conversations as bodies of chat completions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import (
    Conversation,
    File,
    Image,
    JsonOutput,
    Limits,
    Message,
    Part,
    Reasoning,
    Sampling,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from chat2api.errors import Unsupported
from chat2api.providers.openai_compatible.request import Wording, chat_body

HELLO = Conversation("m", (Message("user", (Text("Hi"),)),))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
LOOK = ToolSpec("look", "Looks.", SCHEMA)
HEAR = ToolSpec("hear", "", SCHEMA, strict=True)
LOOK_SENT = {
    "type": "function",
    "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA},
}
HEAR_SENT = {
    "type": "function",
    "function": {"name": "hear", "parameters": SCHEMA, "strict": True},
}


def body(conversation: Conversation = HELLO, wording: Wording | None = None, **changes: Any) -> Any:
    return chat_body(replace(conversation, **changes), wording or Wording())


def messages(*given: Message) -> list[dict[str, Any]]:
    return body(messages=given)["messages"]  # type: ignore[no-any-return]


def user(*parts: Part) -> Any:
    (sent,) = messages(Message("user", parts))
    return sent["content"]


def test_what_was_left_open_is_left_out() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_everything_that_can_be_asked() -> None:
    sent = body(
        limits=Limits(7, ("a", "b")),
        sampling=Sampling(0.0, 0.5, 0.1, 0.2, 3, {"50": -1}, "low"),
        reasoning_effort="high",
        user="someone",
    )
    assert {name: sent[name] for name in sent if name not in ("model", "messages")} == {
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 7,
        "stop": ["a", "b"],
        "temperature": 0.0,
        "top_p": 0.5,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "seed": 3,
        "logit_bias": {"50": -1},
        "verbosity": "low",
        "reasoning_effort": "high",
        "user": "someone",
    }


def test_other_wordings() -> None:
    sent = body(wording=Wording(new_token_limit=True, stream_options=False), limits=Limits(7))
    assert sent["max_completion_tokens"] == 7
    assert "max_tokens" not in sent
    assert "stream_options" not in sent


# --- tools and formats


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(), {"tools": [LOOK_SENT, HEAR_SENT]}),
        (ToolChoice("none"), {"tools": [LOOK_SENT, HEAR_SENT], "tool_choice": "none"}),
        (ToolChoice("required"), {"tools": [LOOK_SENT, HEAR_SENT], "tool_choice": "required"}),
        (
            ToolChoice("required", ("hear",)),
            {
                "tools": [HEAR_SENT],
                "tool_choice": {"type": "function", "function": {"name": "hear"}},
            },
        ),
        (ToolChoice("auto", ("look",)), {"tools": [LOOK_SENT]}),
        (
            ToolChoice("required", ("look", "hear")),
            {"tools": [LOOK_SENT, HEAR_SENT], "tool_choice": "required"},
        ),
    ],
)
def test_tools_and_the_choice_among_them(choice: ToolChoice, sent: dict[str, Any]) -> None:
    asked = body(tools=(LOOK, HEAR), tool_choice=choice)
    assert {name: asked[name] for name in asked if "tool" in name} == sent


def test_one_call_at_a_time_is_asked_for_with_tools_only() -> None:
    assert body(tools=(LOOK,), parallel_tool_calls=False)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in body(tools=(LOOK,))
    assert "parallel_tool_calls" not in body(parallel_tool_calls=False)


def test_custom_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: A"}
    shell = ToolSpec("shell", "Runs.", {}, custom=True, format=grammar)
    plain = ToolSpec("say", "", {}, custom=True)
    sent = body(tools=(shell, plain), tool_choice=ToolChoice("required", ("shell",)))
    assert sent["tools"] == [
        {
            "type": "custom",
            "custom": {
                "name": "shell",
                "description": "Runs.",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": "start: A"},
                },
            },
        }
    ]
    assert sent["tool_choice"] == {"type": "custom", "custom": {"name": "shell"}}
    assert body(tools=(plain,))["tools"] == [{"type": "custom", "custom": {"name": "say"}}]


@pytest.mark.parametrize(
    ("output", "sent"),
    [
        (JsonOutput(), {"type": "json_object"}),
        (
            JsonOutput(SCHEMA),
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        ),
        (
            JsonOutput(SCHEMA, "place", "A place.", strict=True),
            {
                "type": "json_schema",
                "json_schema": {
                    "name": "place",
                    "schema": SCHEMA,
                    "description": "A place.",
                    "strict": True,
                },
            },
        ),
    ],
)
def test_formats(output: JsonOutput, sent: dict[str, Any]) -> None:
    assert body(output=output)["response_format"] == sent


# --- messages


def test_what_a_user_may_send() -> None:
    assert user(
        Text("Look"),
        Image("https://a.test/x.png", "low"),
        Image("data:image/png;base64,AA"),
        File("data:audio/wav;base64,BB", name="audio.wav"),
        File("data:application/pdf;base64,CC", name="a.pdf"),
        File(file_id="file-1"),
    ) == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://a.test/x.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        {"type": "input_audio", "input_audio": {"data": "BB", "format": "wav"}},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,CC", "filename": "a.pdf"},
        },
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    assert user(Text("a"), Text("b")) == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]
    assert user() == ""


def test_a_file_by_address_cannot_be_passed_on() -> None:
    with pytest.raises(Unsupported):
        user(File("https://a.test/x.pdf"))


def test_names_and_roles() -> None:
    assert messages(
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Hi"),), name="ann"),
        Message("assistant", (Reasoning("hm"), Text("Hello"))),
        Message("assistant", (Reasoning("hm"),)),
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ann", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "assistant", "content": ""},
    ]


def test_a_round_of_tools() -> None:
    picture = Image("data:image/png;base64,AA")
    calls = (ToolCall("a", "look", "{}"), ToolCall("b", "shell", "ls", custom=True))
    assert messages(
        Message("assistant", calls),
        Message("tool", (ToolResult("a", "seen", (picture,)),)),
        Message("tool", (ToolResult("b", "done"),), name="shell"),
        Message("assistant", (Text("So?"),)),
    ) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                {"id": "b", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
        {"role": "tool", "tool_call_id": "b", "content": "done"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What the tool call a gave:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            ],
        },
        {"role": "assistant", "content": "So?"},
    ]


def test_results_and_words_in_one_message() -> None:
    """As the Messages API has it; pictures of tools come with the words."""
    picture = Image("data:image/png;base64,AA")
    sent = messages(Message("user", (ToolResult("a", "seen", (picture,)), Text("And now?"))))
    assert sent == [
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What the tool call a gave:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


def test_pictures_of_the_last_tool_are_not_lost() -> None:
    picture = Image("https://a.test/x.png")
    sent = messages(Message("tool", (ToolResult("a", "", (picture,)),)))
    assert [one["role"] for one in sent] == ["tool", "user"]
