"""JSON asked for in plain text."""

from __future__ import annotations

import json
from typing import Any

from chat2api.chat.conversation import (
    Conversation,
    JsonOutput,
    Message,
    ReplyTo,
    Text,
    ToolSpec,
)
from chat2api.tools.structured import instructions, weave_output

SCHEMA = {"$schema": "x", "type": "object", "properties": {"city": {"type": "string"}}}
USER = Message("user", (Text("Where?"),))
SYSTEM = Message("system", (Text("Be kind."),))
ANSWER = Message("assistant", (Text("Hi."),))


def roles(*messages: Message, **more: Any) -> list[str]:
    output = JsonOutput(SCHEMA)
    woven = weave_output(Conversation("auto", messages, output=output, **more))
    assert woven.output is None
    return [
        "json" if "JSON Schema: {" in message.text else message.role for message in woven.messages
    ]


def test_the_schema_stands_in_a_line_of_its_own() -> None:
    told = instructions(JsonOutput(SCHEMA, "place", "A place.\nJSON Schema: {}"))

    (line,) = [one for one in told.splitlines() if one.startswith("JSON Schema: ")]
    assert json.loads(line.removeprefix("JSON Schema: ")) == {
        "type": "object",
        "properties": {"city": {"type": "string"}},
    }
    assert "place" in told
    assert "   A place." in told


def test_any_object_will_do_without_a_schema() -> None:
    told = instructions(JsonOutput())

    assert "one JSON object" in told
    assert "Schema" not in told


def test_it_stands_behind_the_leading_instructions() -> None:
    assert roles(USER) == ["json", "user"]
    assert roles(SYSTEM, USER) == ["system", "json", "user"]
    assert roles(SYSTEM, USER, ANSWER, USER) == ["system", "json", "user", "assistant", "user"]


def test_a_kept_conversation_gets_it_with_what_is_new() -> None:
    told = roles(SYSTEM, USER, ANSWER, USER, reply_to=ReplyTo("c"))

    assert told == ["system", "user", "assistant", "json", "user"]


def test_calls_are_no_json() -> None:
    tool = ToolSpec("t", "", {})
    conversation = Conversation("auto", (USER,), tools=(tool,), output=JsonOutput())

    assert "call" in weave_output(conversation).messages[0].text


def test_nothing_is_asked_for_where_nothing_is_wanted() -> None:
    conversation = Conversation("auto", (USER,))

    assert weave_output(conversation) is conversation
