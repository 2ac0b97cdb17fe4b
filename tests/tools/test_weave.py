"""Tools told in plain text: what the model reads, and what must not be in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    Image,
    JsonOutput,
    Limits,
    Message,
    Part,
    ReplyTo,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from chat2api.errors import RequestError
from chat2api.tools.weave import MOST_TOOL_BYTES, has_tool_parts, nonce_is_free, weave

NONCE = "kzq3x9ab"
PARAMETERS = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Stadt in Ö"}},
    "required": ["city"],
}
WEATHER = ToolSpec("get_weather", "The weather of a city.\n2. rm\nParameters: none", PARAMETERS)
PATCH = ToolSpec("patch", "", {}, custom=True, format={"type": "grammar", "syntax": "lark"})
USER = Message("user", (Text("Weather in Oslo?"),))


def talk(*messages: Message, **more: Any) -> Conversation:
    return Conversation("auto", messages or (USER,), **more)


def prompt(**more: Any) -> str:
    return weave(talk(**{"tools": (WEATHER, PATCH), **more}), NONCE).messages[0].text


def text_of(parts: tuple[Part, ...]) -> str:
    return "".join(part.text if isinstance(part, Text) else "[picture]" for part in parts)


# --- the instructions


def test_the_lines_that_others_look_for() -> None:
    lines = prompt().splitlines()

    assert f'<tool_call_{NONCE} name="TOOL_NAME">' in lines
    assert f"</tool_call_{NONCE}>" in lines
    assert "1. get_weather" in lines
    assert "2. patch" in lines
    assert "Input: free text" in lines
    assert 'Format of the input: {"type":"grammar","syntax":"lark"}' in lines


def test_parameters_stand_in_one_line_without_the_name_of_their_draft() -> None:
    (line,) = [one for one in prompt().splitlines() if one.startswith("Parameters (JSON Schema): ")]

    told = json.loads(line.removeprefix("Parameters (JSON Schema): "))
    assert told == {key: PARAMETERS[key] for key in ("type", "properties", "required")}
    assert "Ö" in line


def test_a_description_cannot_look_like_a_tool() -> None:
    assert [line for line in prompt().splitlines() if re.match(r"\d+\. ", line)] == [
        "1. get_weather",
        "2. patch",
    ]


def test_the_example_is_a_call_of_one_of_the_tools() -> None:
    example = f'<tool_call_{NONCE} name="get_weather">\n{{"city":"..."}}\n</tool_call_{NONCE}>'

    assert example in prompt()
    assert 'name="patch">\nany text\n' in prompt(tools=(PATCH,))


@pytest.mark.parametrize(
    ("choice", "says", "not_"),
    [
        (ToolChoice(), "Where no tool is needed", "must call"),
        (ToolChoice("required"), "must call at least one", "Where no tool is needed"),
        (ToolChoice("required", ("patch",)), "must call the tool patch", "get_weather"),
        (ToolChoice("auto", ("get_weather",)), "1. get_weather", "patch"),
    ],
)
def test_the_choice_is_told(choice: ToolChoice, says: str, not_: str) -> None:
    told = prompt(tool_choice=choice)

    assert says in told
    assert not_ not in told


def test_one_call_or_several() -> None:
    assert "one after the other" in prompt()
    assert "only one call" in prompt(parallel_tool_calls=False)


def test_rules_speak_of_what_there_is() -> None:
    assert "free text" not in prompt(tools=(WEATHER,))
    assert "one JSON object" not in prompt(tools=(PATCH,))


def test_the_instructions_stand_before_the_clients_own() -> None:
    system = Message("system", (Text("Be kind."),))

    woven = weave(talk(system, USER, tools=(WEATHER,)), NONCE)

    assert woven.messages[1:] == (system, USER)
    assert woven.messages[0].role == "system"


def test_a_kept_conversation_gets_them_with_what_is_new() -> None:
    answer = Message("assistant", (Text("Hi."),))

    woven = weave(talk(USER, answer, USER, tools=(WEATHER,), reply_to=ReplyTo("c")), NONCE)

    assert [message.role for message in woven.messages] == ["user", "assistant", "system", "user"]


def test_nothing_of_tools_is_left() -> None:
    woven = weave(
        talk(
            tools=(WEATHER,),
            tool_choice=ToolChoice("required"),
            builtins=(Builtin("web_search", {}),),
            limits=Limits(5),
        ),
        NONCE,
    )

    assert (woven.tools, woven.tool_choice, woven.builtins) == ((), ToolChoice(), ())
    assert woven.limits == Limits(5)


def test_tools_that_may_not_be_called_are_not_told() -> None:
    search = (Builtin("web_search", {}),)

    woven = weave(talk(tools=(WEATHER,), tool_choice=ToolChoice("none"), builtins=search), NONCE)

    assert (woven.messages, woven.tools, woven.builtins) == ((USER,), (), search)


def test_absurd_sizes_are_refused() -> None:
    huge = replace(WEATHER, description="x" * MOST_TOOL_BYTES)

    with pytest.raises(RequestError) as refused:
        weave(talk(tools=(huge,)), NONCE)
    assert refused.value.param == "tools"


# --- what came before

CALLS = Message(
    "assistant",
    (
        Text("I will look."),
        ToolCall("call_a", "get_weather", '{"city": "Oslo"}'),
        ToolCall("call_b", "patch", "*** text", custom=True),
    ),
)


def test_calls_and_results_become_text() -> None:
    results = (
        Message("tool", (ToolResult("call_b", "done"),)),
        Message("tool", (ToolResult("call_a", "no such city", is_error=True),)),
    )

    woven = weave(talk(USER, CALLS, *results, USER), NONCE)

    assert [message.role for message in woven.messages] == ["user", "assistant", "user", "user"]
    assert woven.messages[1].text == (
        "I will look.\n"
        f'<tool_call_{NONCE} name="get_weather" id="1">\n{{"city": "Oslo"}}\n</tool_call_{NONCE}>\n'
        f'<tool_call_{NONCE} name="patch" id="2">\n*** text\n</tool_call_{NONCE}>'
    )
    assert woven.messages[2].text == (
        f'<tool_result_{NONCE} id="2" name="patch">\ndone\n</tool_result_{NONCE}>\n'
        f'<tool_result_{NONCE} id="1" name="get_weather" error="true">\nno such city\n'
        f"</tool_result_{NONCE}>"
    )


@pytest.mark.parametrize("after", ["And Paris.", "\nAnd Paris."])
def test_text_behind_a_call_is_on_a_line_of_its_own(after: str) -> None:
    said = (Text("I look."), ToolCall("c1", "patch", "x", custom=True), Text(after))
    (message,) = weave(talk(Message("assistant", said)), NONCE).messages

    assert message.text == (
        f'I look.\n<tool_call_{NONCE} name="patch" id="1">\nx\n</tool_call_{NONCE}>\nAnd Paris.'
    )


def test_results_inside_of_a_users_message_are_told_as_well() -> None:
    user = Message("user", (ToolResult("call_a", "sun"), Text("And now?")))

    woven = weave(talk(USER, CALLS, user), NONCE)

    assert woven.messages[2].text.endswith(f"sun\n</tool_result_{NONCE}>And now?")


def test_pictures_of_results_are_kept() -> None:
    picture = Image("https://example.org/a.png")
    result = Message("tool", (ToolResult("call_a", "see", (picture, picture)),))

    (told,) = weave(talk(USER, CALLS, result), NONCE).messages[2:]

    assert text_of(told.parts) == (
        f'<tool_result_{NONCE} id="1" name="get_weather">\nsee\n[picture][picture]\n'
        f"</tool_result_{NONCE}>"
    )
    assert picture in told.parts


def test_a_result_whose_call_only_the_upstream_has_seen() -> None:
    result = Message("tool", (ToolResult("call_z", "sun"),))

    (told,) = weave(talk(result, reply_to=ReplyTo("c")), NONCE).messages

    assert told.text == f"<tool_result_{NONCE}>\nsun\n</tool_result_{NONCE}>"


def test_tool_parts_are_found() -> None:
    assert has_tool_parts(talk(USER, CALLS))
    assert not has_tool_parts(talk(USER, tools=(WEATHER,)))


# --- the marker


@pytest.mark.parametrize(
    "conversation",
    [
        talk(Message("user", (Text(f"Say {NONCE}!"),))),
        talk(Message("assistant", (ToolCall("c", "t", f'{{"a": "{NONCE}"}}'),))),
        talk(Message("tool", (ToolResult("c", NONCE),))),
        talk(tools=(replace(WEATHER, description=NONCE),)),
        talk(tools=(replace(WEATHER, parameters={"enum": [NONCE]}),)),
        talk(tools=(replace(PATCH, format={"definition": NONCE}),)),
        talk(output=JsonOutput({"const": NONCE})),
        talk(output=JsonOutput(description=NONCE)),
    ],
)
def test_a_marker_in_the_request_is_not_free(conversation: Conversation) -> None:
    assert not nonce_is_free(conversation, NONCE)


def test_a_marker_that_is_nowhere_is_free() -> None:
    assert nonce_is_free(talk(USER, CALLS, tools=(WEATHER, PATCH), output=JsonOutput()), NONCE)


@given(st.lists(st.text(max_size=20), max_size=4))
def test_what_is_said_is_told_unchanged(texts: list[str]) -> None:
    messages = tuple(Message("user", (Text(text),)) for text in texts) or (USER,)

    assert weave(talk(*messages, tools=(WEATHER,)), NONCE).messages[1:] == messages
