"""`messages` as the API takes them: pairs of JSON and values, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import (
    File,
    Image,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.dialects.openai_chat_request import parse_request
from chat2api.dialects.openai_messages import parse_messages
from chat2api.errors import RequestError

CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    ],
}
CALLED = Message("assistant", (ToolCall("call_1", "search", "{}"),))


@pytest.mark.parametrize(
    ("json", "message"),
    [
        ({"role": "system", "content": "Be brief."}, Message("system", (Text("Be brief."),))),
        ({"role": "developer", "content": "Be brief."}, Message("system", (Text("Be brief."),))),
        ({"role": "user", "content": "Hi"}, Message("user", (Text("Hi"),))),
        ({"role": "user", "content": ""}, Message("user", (Text(""),))),
        ({"role": "user", "content": "Hi", "name": "Ann"}, Message("user", (Text("Hi"),), "Ann")),
        ({"role": "user", "content": "Hi", "name": None}, Message("user", (Text("Hi"),))),
        (
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is "},
                    {"type": "text", "text": "this?"},
                    {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                    {
                        "type": "image_url",
                        "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
                    },
                ],
            },
            Message(
                "user",
                (
                    Text("What is "),
                    Text("this?"),
                    Image("https://x.test/a.png"),
                    Image("data:image/png;base64,AA==", "low"),
                ),
            ),
        ),
        (
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file-7"}},
                    {
                        "type": "file",
                        "file": {
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,JV",
                        },
                    },
                ],
            },
            Message(
                "user",
                (
                    File("data:audio/wav;base64,UklG", name="audio.wav"),
                    File(file_id="file-7"),
                    File("data:application/pdf;base64,JV", name="a.pdf"),
                ),
            ),
        ),
        ({"role": "assistant", "content": "Hello."}, Message("assistant", (Text("Hello."),))),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            Message("assistant", (Text("No."),)),
        ),
        (
            {"role": "assistant", "content": None, "refusal": "No."},
            Message("assistant", (Text("No."),)),
        ),
        (
            {"role": "assistant", "content": "42.", "reasoning_content": "6 x 7", "refusal": None},
            Message("assistant", (Reasoning("6 x 7"), Text("42."))),
        ),
        (CALL, CALLED),
        ({**CALL, "content": ""}, Message("assistant", (Text(""), *CALLED.parts))),
        (
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "a", "function": {"name": "f", "arguments": {"q": "é", "n": 2}}}
                ],
            },
            Message("assistant", (ToolCall("a", "f", '{"q":"é","n":2}'),)),
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
                    {"id": "b", "custom": {"name": "sql", "input": ""}},
                ],
            },
            Message(
                "assistant",
                (
                    ToolCall("a", "sql", "SELECT 1", custom=True),
                    ToolCall("b", "sql", "", custom=True),
                ),
            ),
        ),
        (
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            Message("assistant", (ToolCall("call_legacy_1", "f", "{}"),)),
        ),
        (
            {"role": "function", "name": "f", "content": "sunny"},
            Message("tool", (ToolResult("call_legacy_1", "sunny"),), "f"),
        ),
        (
            {"role": "function", "name": "f", "content": None},
            Message("tool", (ToolResult("call_legacy_1", ""),), "f"),
        ),
        (
            {"role": "user", "content": "Hi", "timestamp": 5, "x": {"y": []}},
            Message("user", (Text("Hi"),)),
        ),
    ],
)
def test_one_message(json: dict[str, Any], message: Message) -> None:
    assert parse_messages([json]) == (message,)


def test_a_tool_result_answers_an_earlier_call() -> None:
    parts = [{"type": "text", "text": "two "}, {"type": "text", "text": "parts"}]
    assert parse_messages([CALL, {"role": "tool", "tool_call_id": "call_1", "content": parts}]) == (
        CALLED,
        Message("tool", (ToolResult("call_1", "two parts"),)),
    )


def test_a_tool_result_may_show_pictures() -> None:
    parts = [
        {"type": "text", "text": "Seen: "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "text", "text": "a cat."},
    ]
    _, answer = parse_messages([CALL, {"role": "tool", "tool_call_id": "call_1", "content": parts}])
    picture = Image("data:image/png;base64,AA==", "low")
    assert answer.parts == (ToolResult("call_1", "Seen: a cat.", (picture,)),)


def test_one_call_may_be_answered_twice_or_never() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    later = {"role": "user", "content": "And?"}
    assert len(parse_messages([CALL, result, result, later])) == 4
    assert len(parse_messages([CALL, later])) == 2


def legacy_call(name: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": ""}}


def test_legacy_calls_and_results_are_paired_in_turn() -> None:
    names = ["f", "g", "f"]
    results = [{"role": "function", "name": name, "content": "x"} for name in names]
    raw = [one for pair in zip(map(legacy_call, names), results, strict=True) for one in pair]
    ids = [
        part.call_id
        for message in parse_messages(raw)
        for part in message.parts
        if isinstance(part, ToolCall | ToolResult)
    ]
    assert ids == [id_ for number in (1, 2, 3) for id_ in [f"call_legacy_{number}"] * 2]


def test_a_legacy_result_answers_the_last_call_of_its_function() -> None:
    raw = [legacy_call("f"), legacy_call("g"), {"role": "function", "name": "f", "content": "x"}]
    assert parse_messages(raw)[2].parts == (ToolResult("call_legacy_1", "x"),)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", "{}"),
        (" \n", "{}"),
        ({}, "{}"),
        ('{"q": 1}', '{"q": 1}'),
        (' {"q":\t1} ', ' {"q":\t1} '),
        ('{"half": "\\ud83d", "n": NaN}', '{"half": "\\ud83d", "n": NaN}'),
    ],
)
def test_arguments_that_are_an_object(sent: object, kept: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": sent}}
    (message,) = parse_messages([{"role": "assistant", "tool_calls": [call]}])
    assert message.parts == (ToolCall("a", "f", kept),)


@pytest.mark.parametrize(
    "sent",
    ["x", "[1]", "null", '"{}"', '{"q":', "{} {}", "{'q': 1}", '{"a":' * 5_000 + "1" + "}" * 5_000],
    ids=lambda text: text[:8],
)
def test_what_a_model_wrote_instead_of_arguments_ends_no_agent(sent: str) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": sent}}
    (message,) = parse_messages([{"role": "assistant", "tool_calls": [call]}])
    assert message.parts == (ToolCall("a", "f", sent),)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "tool", "content": "x"}],
        [{"role": "tool", "tool_call_id": None, "content": "x"}],
        [{"role": "tool", "tool_call_id": "", "content": "x"}],
        [{"role": "tool", "tool_call_id": "call_1", "content": "x"}],
        [{"role": "tool", "tool_call_id": "call_1", "content": "x"}, CALL],
        [CALL, {"role": "tool", "tool_call_id": "call_2", "content": "x"}],
    ],
    ids=["no id", "null id", "empty id", "no call", "call comes later", "another call"],
)
def test_a_tool_result_without_its_call(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(RequestError) as caught:
        parse_messages(messages)
    index = next(i for i, message in enumerate(messages) if message["role"] == "tool")
    assert caught.value.status == 400
    assert caught.value.code == "tool_call_not_found"
    assert caught.value.param == f"messages[{index}].tool_call_id"


def test_the_call_of_a_result_may_stand_in_what_the_upstream_keeps() -> None:
    result = {"role": "tool", "tool_call_id": "call_1", "content": "x"}
    told = (Message("tool", (ToolResult("call_1", "x"),)),)
    assert parse_messages([result], continues=True) == told

    with pytest.raises(RequestError):
        parse_messages([{"role": "tool", "content": "x"}], continues=True)

    kept = parse_request({"messages": [result], "conversation_id": "c-1"}).conversation
    assert kept.messages == told


@pytest.mark.parametrize(
    ("json", "param", "message"),
    [
        ("hi", "", "Invalid type for '{}': expected an object, but got a string instead."),
        ({"content": "x"}, ".role", "Missing required parameter: '{}'."),
        (
            {"role": "robot", "content": "x"},
            ".role",
            "Invalid value: 'robot'. Supported values are: 'system', 'developer', 'user', "
            "'assistant', 'tool', 'function'.",
        ),
        ({"role": "user"}, ".content", "Missing required parameter: '{}'."),
        (
            {"role": "user", "content": None},
            ".content",
            "Invalid type for '{}': expected a string or an array of objects, "
            "but got null instead.",
        ),
        (
            {"role": "user", "content": {"type": "text", "text": "x"}},
            ".content",
            "Invalid type for '{}': expected a string or an array of objects, "
            "but got an object instead.",
        ),
        (
            {"role": "user", "content": []},
            ".content",
            "Invalid '{}': empty array. Expected at least 1 item.",
        ),
        (
            {"role": "user", "content": ["x"]},
            ".content[0]",
            "Invalid type for '{}': expected an object, but got a string instead.",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "hologram"}]},
            ".content[1].type",
            "Invalid value: 'hologram'. Supported values are: 'text', 'image_url', "
            "'input_audio', 'file'.",
        ),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
            ".content[0].type",
            "Invalid value: 'image_url'. Supported values are: 'text'.",
        ),
        (
            {"role": "user", "content": [{"type": "text"}]},
            ".content[0].text",
            "Missing required parameter: '{}'.",
        ),
        (
            {"role": "user", "content": [{"type": "text", "text": 5}]},
            ".content[0].text",
            "Invalid type for '{}': expected a string, but got an integer instead.",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://x.test"}]},
            ".content[0].image_url",
            "Invalid type for '{}': expected an object, but got a string instead.",
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
            ".content[0].image_url.url",
            "Missing required parameter: '{}'.",
        ),
        (
            {"role": "user", "content": [{"type": "file", "file": {"filename": "a"}}]},
            ".content[0].file.file_id",
            "Missing required parameter: '{}'.",
        ),
        (
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "x", "format": "a/b"}}],
            },
            ".content[0].input_audio.format",
            "Invalid '{}': expected 1 to 64 letters, digits, '_' or '-'.",
        ),
        ({"role": "assistant"}, ".content", "Missing required parameter: '{}'."),
        (
            {"role": "assistant", "content": None, "tool_calls": []},
            ".content",
            "Invalid type for '{}': expected a string or an array of objects, "
            "but got null instead.",
        ),
        (
            {"role": "assistant", "content": "x", "tool_calls": [{"id": "a"}]},
            ".tool_calls[0].function",
            "Missing required parameter: '{}'.",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": [1]}}],
            },
            ".tool_calls[0].function.arguments",
            "Invalid type for '{}': expected a string, but got an array instead.",
        ),
        (
            {"role": "assistant", "tool_calls": [{"type": "shell", "id": "a"}]},
            ".tool_calls[0].type",
            "Invalid value: 'shell'. Supported values are: 'function', 'custom'.",
        ),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "id": "a"}]},
            ".tool_calls[0].custom",
            "Missing required parameter: '{}'.",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "", "function": {"name": "f"}}]},
            ".tool_calls[0].id",
            "Invalid '{}': empty string. Expected at least one character.",
        ),
        (
            {"role": "assistant", "tool_calls": ["x"]},
            ".tool_calls[0]",
            "Invalid type for '{}': expected an object, but got a string instead.",
        ),
        (
            {"role": "assistant", "function_call": {"name": "f", "arguments": []}},
            ".function_call.arguments",
            "Invalid type for '{}': expected a string, but got an array instead.",
        ),
        ({"role": "function", "content": "x"}, ".name", "Missing required parameter: '{}'."),
        (
            {"role": "user", "content": "x", "name": "a\nb"},
            ".name",
            "Invalid '{}': control characters and line breaks are not allowed.",
        ),
    ],
)
def test_what_is_refused(json: object, param: str, message: str) -> None:
    good = {"role": "user", "content": "ok"}
    with pytest.raises(RequestError) as caught:
        parse_messages([good, json])
    path = f"messages[1]{param}"
    assert (caught.value.param, caught.value.message) == (path, message.format(path))
