"""Messages as input items."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import (
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.errors import Unsupported
from chat2api.providers.codex.items import input_items, split_instructions
from chat2api.providers.codex.tools import ToolNames

PNG = "data:image/png;base64,AAAA"


def said(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(Text(one) if isinstance(one, str) else one for one in parts))


def items(*messages: Message) -> list[dict[str, Any]]:
    """As for an account that can read what begins with "mine"."""
    names = ToolNames(["look", "patch"])
    return input_items(messages, names, lambda text: text if text.startswith("mine") else None)


def user(text: str) -> dict[str, Any]:
    return message("user", {"type": "input_text", "text": text})


def answer(text: str) -> dict[str, Any]:
    return message("assistant", {"type": "output_text", "text": text})


def message(role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": list(content)}


def call(call_id: str, arguments: str = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": arguments}


def output(call_id: str, text: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


# --- instructions


def test_leading_words_of_the_system_are_instructions() -> None:
    messages = [said("system", "One."), said("system", "Two."), said("user", "Hi")]
    assert split_instructions(messages) == ("One.\n\nTwo.", messages[2:])


def test_later_ones_are_not() -> None:
    messages = [said("user", "Hi"), said("system", "Later.")]
    assert split_instructions(messages) == ("", messages)
    assert items(*messages)[1]["role"] == "developer"


def test_something_is_always_left_to_answer() -> None:
    messages = [said("system", "One."), said("system", "Two.")]
    assert split_instructions(messages) == ("One.", messages[1:])
    assert split_instructions([]) == ("", [])


def test_instructions_with_a_picture_are_no_instructions() -> None:
    messages = [said("system", "Look:", Image(PNG)), said("user", "Hi")]
    assert split_instructions(messages) == ("", messages)


# --- what people say


def test_a_talk() -> None:
    assert items(said("user", "Hi"), said("assistant", "He", "llo"), said("user", "Bye")) == [
        user("Hi"),
        answer("Hello"),
        user("Bye"),
    ]


def test_what_says_nothing_is_left_out() -> None:
    assert items(said("user", ""), said("assistant", ""), said("user"), said("user", "a", "")) == [
        user("a")
    ]


def test_pictures_and_documents() -> None:
    pdf = "data:application/pdf;base64,AAAA"
    assert items(
        said(
            "user",
            Image("https://x.test/a.png", "low"),
            Image(PNG, "strange"),
            File(pdf, name="a.pdf"),
            File(PNG),
        )
    ) == [
        message(
            "user",
            {"type": "input_image", "image_url": "https://x.test/a.png", "detail": "low"},
            {"type": "input_image", "image_url": PNG},
            {"type": "input_file", "filename": "a.pdf", "file_data": pdf},
            {"type": "input_image", "image_url": PNG},
        )
    ]


@pytest.mark.parametrize(
    "file",
    [File("https://x.test/a.pdf"), File("data:audio/wav;base64,AA"), File(file_id="f"), File()],
)
def test_other_files_cannot_be_given(file: File) -> None:
    with pytest.raises(Unsupported):
        items(said("user", file))


# --- calls


def test_calls_and_what_they_gave() -> None:
    assert items(
        said("assistant", "Wait.", ToolCall("a", "look", '{"x":1}'), ToolCall("b", "look", "")),
        said("tool", ToolResult("a", "sun")),
        said("tool", ToolResult("b", "")),
    ) == [answer("Wait."), call("a", '{"x":1}'), call("b"), output("a", "sun"), output("b", "")]


def test_custom_calls() -> None:
    assert items(
        said("assistant", ToolCall("a", "patch", "any text", custom=True)),
        said("tool", ToolResult("a", "done")),
    ) == [
        {"type": "custom_tool_call", "call_id": "a", "name": "patch", "input": "any text"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "done"},
    ]


def test_pictures_of_tools() -> None:
    (_, given) = items(
        said("assistant", ToolCall("a", "look", "{}")),
        said("tool", ToolResult("a", "see", (Image(PNG),))),
    )
    assert given["output"] == [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": PNG},
    ]


def test_a_result_is_moved_to_its_call() -> None:
    assert items(
        said("assistant", ToolCall("a", "look", "{}")),
        said("user", "And?"),
        said("user", "Here:", ToolResult("a", "sun")),
    ) == [call("a"), output("a", "sun"), user("And?"), user("Here:")]


def test_a_call_without_a_result_gets_one() -> None:
    assert items(said("assistant", ToolCall("a", "look", "{}")), said("user", "Never mind.")) == [
        call("a"),
        output("a", "(no output)"),
        user("Never mind."),
    ]


def test_a_result_without_a_call_is_told() -> None:
    assert items(said("tool", ToolResult("gone", "sun"))) == [user("sun")]


def test_clients_that_number_calls_anew() -> None:
    found = items(
        said("assistant", ToolCall("call_0", "look", "{}")),
        said("tool", ToolResult("call_0", "first")),
        said("assistant", ToolCall("call_0", "look", "{}")),
        said("tool", ToolResult("call_0", "second")),
    )
    first, given, second, given_too = found
    assert (first["call_id"], given["output"]) == ("call_0", "first")
    assert second["call_id"] != "call_0"
    assert (given_too["call_id"], given_too["output"]) == (second["call_id"], "second")


@pytest.mark.parametrize("long", ["x" * 65, ""])
def test_ids_that_are_not_taken_become_others(long: str) -> None:
    talk = (said("assistant", ToolCall(long, "look", "{}")), said("tool", ToolResult(long, "y")))
    asked, given = items(*talk)
    assert asked["call_id"] == given["call_id"]
    assert 0 < len(asked["call_id"]) <= 64
    assert items(*talk) == [asked, given]


def test_long_names_go_out_short() -> None:
    (asked, _) = items(said("assistant", ToolCall("a", "n" * 70, "{}")))
    assert len(asked["name"]) == 64


# --- reasoning


def test_reasoning_goes_back_to_whom_it_came_from() -> None:
    thought = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "mine-1",
    }
    assert items(said("assistant", Reasoning("Hm.", "mine-1"), "So."), said("user", "Go on")) == [
        thought,
        answer("So."),
        user("Go on"),
    ]
    (bare, *_) = items(said("assistant", Reasoning("", "mine"), ToolCall("a", "look", "{}")))
    assert bare == {"type": "reasoning", "summary": [], "encrypted_content": "mine"}


@pytest.mark.parametrize("encrypted", [None, "theirs"])
def test_other_reasoning_is_left_out(encrypted: str | None) -> None:
    talk = said("assistant", Reasoning("Hm.", encrypted), "So.")
    assert items(talk) == [answer("So.")]


def test_reasoning_that_led_nowhere_is_left_out() -> None:
    thought = Reasoning("", "mine")
    assert items(said("assistant", thought), said("user", "Hi")) == [user("Hi")]
    assert items(said("user", "Hi"), said("assistant", thought)) == [user("Hi")]
    kept = items(said("assistant", thought), said("assistant", thought, "So."))
    assert [item["type"] for item in kept] == ["reasoning", "reasoning", "message"]
