"""Input items to messages: every kind, what belongs together, and what is wrong with bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.conversation import (
    File,
    Image,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.dialects.openai_responses_items import Item, MessageReader
from chat2api.dialects.openai_responses_tools import Home
from chat2api.errors import RequestError

PNG = "data:image/png;base64,iVBORw0KGgo="


def read(*items: Any, **about: Any) -> tuple[Message, ...]:
    reader = MessageReader(**about)
    reader.read(items, "input")
    return reader.messages


def left_out(*items: Any) -> tuple[str, ...]:
    reader = MessageReader()
    reader.read(items, "input")
    return reader.ignored


def call(call_id: str = "call_1", name: str = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def output(call_id: str = "call_1", said: Any = "done") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said}


def said(text: str, **fields: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **fields}


def asked(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(call_id: str = "call_1", text: str = "done", *images: Image) -> Message:
    return Message("tool", (ToolResult(call_id, text, images),))


# --- messages


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (asked("Hi"), Message("user", (Text("Hi"),))),
        ({"role": "developer", "content": "Be brief"}, Message("system", (Text("Be brief"),))),
        ({"role": "system", "content": "Be brief"}, Message("system", (Text("Be brief"),))),
        ({"role": "assistant", "content": "Yes"}, Message("assistant", (Text("Yes"),))),
        (
            said("Yes", id="msg_1", status="completed", phase="final_answer"),
            Message("assistant", (Text("Yes"),)),
        ),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            Message("assistant", (Text("No."),)),
        ),
        (
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {"type": "input_image", "image_url": PNG, "detail": "low"},
                    {"type": "input_image", "file_id": "file-1"},
                    {"type": "input_file", "file_data": "data:a/b;base64,AA==", "filename": "a.b"},
                    {"type": "input_file", "file_url": "https://a.test/b.pdf"},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                ],
            },
            Message(
                "user",
                (
                    Text("What is it?"),
                    Image(PNG, "low"),
                    File(file_id="file-1"),
                    File("data:a/b;base64,AA==", name="a.b"),
                    File("https://a.test/b.pdf"),
                    File("data:audio/wav;base64,AA==", name="audio.wav"),
                ),
            ),
        ),
    ],
)
def test_a_message(item: Item, message: Message) -> None:
    assert read(item) == (message,)


def test_empty_messages_are_no_messages() -> None:
    assert read({"role": "assistant", "content": []}, asked("Hi")) == (
        Message("user", (Text("Hi"),)),
    )


# --- what belongs together


def test_one_answer_is_one_message() -> None:
    reasoning = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm"}],
    }
    assert read(asked("Go"), reasoning, said("I look."), call("a"), call("b"), said("Wait.")) == (
        Message("user", (Text("Go"),)),
        Message(
            "assistant",
            (
                Reasoning("Hm"),
                Text("I look."),
                ToolCall("a", "f", "{}"),
                ToolCall("b", "f", "{}"),
                Text("\n\n"),
                Text("Wait."),
            ),
        ),
    )


def test_two_messages_of_the_assistant_stay_two() -> None:
    assert [message.text for message in read(said("One"), said("Two"))] == ["One", "Two"]


def test_outputs_follow_their_calls_wherever_they_stood() -> None:
    messages = read(call("a"), call("b"), output("a"), asked("And?"), output("b"), said("So."))
    assert messages == (
        Message("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))),
        result("a"),
        result("b"),
        Message("user", (Text("And?"),)),
        Message("assistant", (Text("So."),)),
    )


def test_calls_after_an_output_are_another_answer() -> None:
    messages = read(call("a"), output("a"), call("b"), output("b"))
    assert [message.role for message in messages] == ["assistant", "tool", "assistant", "tool"]


def test_an_id_used_again_means_the_latest_call() -> None:
    messages = read(call(name="f"), output(said="1"), call(name="g"), output(said="2"))
    assert messages[1:] == (
        result(text="1"),
        Message("assistant", (ToolCall("call_1", "g", "{}"),)),
        result(text="2"),
    )


def test_an_output_may_hold_pictures() -> None:
    parts = [
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": PNG},
        {"type": "output_text", "text": " it"},
    ]
    assert read(call(), output(said=parts))[1] == result("call_1", "see it", Image(PNG))


def test_objects_are_taken_for_the_json_they_are() -> None:
    messages = read(call(arguments={"q": 1}), output(said={"ok": True}))
    assert messages[0].parts == (ToolCall("call_1", "f", '{"q":1}'),)
    assert messages[1] == result(text='{"ok":true}')


def test_custom_calls() -> None:
    messages = read(
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
    )
    assert messages == (
        Message("assistant", (ToolCall("c", "patch", "*** Begin", custom=True),)),
        result("c", "ok"),
    )


def test_a_call_of_a_namespace_goes_by_the_name_its_tool_is_listed_under() -> None:
    homes = {"search": Home("search", None), "web__search": Home("search", "web")}
    plain, nested = call("a", "search"), {**call("b", "search"), "namespace": "web"}
    (message,) = read(plain, nested, homes=homes)
    assert [part.name for part in message.parts if isinstance(part, ToolCall)] == [
        "search",
        "web__search",
    ]


def test_reasoning_prefers_the_thoughts_to_their_summary() -> None:
    item = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "short"}],
        "content": [{"text": "long"}, {"text": "longer"}],
        "encrypted_content": "gAAAA",
    }
    assert read(item) == (Message("assistant", (Reasoning("long\n\nlonger"),)),)
    assert read({"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}) == ()


# --- tools of the public API's own


def test_calls_that_agents_ran_for_the_model() -> None:
    messages = read(
        {"type": "local_shell_call", "call_id": "s", "action": {"command": ["ls"]}},
        {"type": "local_shell_call_output", "id": "s", "output": "a.py"},
        {"type": "shell_call", "call_id": "t", "action": {"commands": ["pwd"]}},
        {"type": "shell_call_output", "call_id": "t", "output": [{"stdout": "/"}]},
        {"type": "apply_patch_call", "call_id": "p", "operation": {"type": "create_file"}},
    )
    assert messages == (
        Message("assistant", (ToolCall("s", "local_shell", '{"command":["ls"]}'),)),
        result("s", "a.py"),
        Message("assistant", (ToolCall("t", "shell", '{"commands":["pwd"]}'),)),
        result("t", '[{"stdout":"/"}]'),
        Message("assistant", (ToolCall("p", "apply_patch", '{"type":"create_file"}'),)),
    )


def test_calls_of_mcp_servers_bring_their_outputs_along() -> None:
    whole = {"type": "mcp_call", "id": "m", "name": "ask", "arguments": "{}", "output": "42"}
    broken = {"type": "mcp_call", "id": "n", "name": "ask", "error": {"code": 1}}
    assert read(whole, broken) == (
        Message("assistant", (ToolCall("m", "ask", "{}"),)),
        result("m", "42"),
        Message("assistant", (ToolCall("n", "ask", ""),)),
        Message("tool", (ToolResult("n", '{"code":1}', is_error=True),)),
    )


def test_other_kinds_are_left_out_and_named_once() -> None:
    assert left_out(
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "web_search_call", "id": "ws_2", "status": "completed"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "mcp_call"},
        {"type": "shell_call_output", "call_id": "nobody", "output": []},
        {"type": "a\r\nb: c"},
    ) == ("web_search_call", "compaction", "mcp_call", "shell_call_output", "unknown")


# --- items that stand for others


def expand(item: Item) -> Sequence[Item] | None:
    kept = {"msg_1": [said("Earlier.")], "secret": [asked("A summary."), said("Yes.")]}
    return kept.get(item.get("id") or item["encrypted_content"])


def test_references_and_compactions_become_what_they_stand_for() -> None:
    messages = read(
        {"type": "compaction", "encrypted_content": "secret"},
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        expand=expand,
    )
    assert [message.text for message in messages] == ["A summary.", "Yes.", "Earlier.", "Earlier."]


@pytest.mark.parametrize("known", [None, expand])
def test_a_reference_to_nothing(known: Any) -> None:
    with pytest.raises(RequestError) as caught:
        read(asked("Hi"), {"type": "item_reference", "id": "msg_2"}, expand=known)
    assert (caught.value.status, caught.value.param) == (404, "input[1].id")
    assert caught.value.code == "item_not_found"


# --- what is wrong


@pytest.mark.parametrize(
    ("items", "param"),
    [
        (["Hi"], "input[0]"),
        ([{}], "input[0].type"),
        ([{"type": 5}], "input[0].type"),
        ([{"type": "item_reference"}], "input[0].id"),
        ([{"type": "item_reference", "id": 5}], "input[0].id"),
        ([{"type": "message"}], "input[0].role"),
        ([{"role": "tool", "content": "x"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": None}], "input[0].content"),
        ([{"role": "user", "content": ["x"]}], "input[0].content[0]"),
        ([{"role": "user", "content": [{"type": "video"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "input[0].content[0].file_id"),
        (
            [{"role": "assistant", "content": [{"type": "input_image", "image_url": PNG}]}],
            "input[0].content[0].type",
        ),
        ([{"type": "function_call", "name": "f", "arguments": ""}], "input[0].call_id"),
        ([{"type": "function_call", "call_id": "a", "name": "f"}], "input[0].arguments"),
        ([call(arguments=5)], "input[0].arguments"),
        ([{"type": "custom_tool_call", "call_id": "a", "name": "f"}], "input[0].input"),
        ([call(), {"type": "function_call_output", "call_id": "call_1"}], "input[1].output"),
        ([call(), output(said=5)], "input[1].output"),
        ([{"type": "reasoning", "summary": "x"}], "input[0].summary"),
    ],
)
def test_malformed_items(items: list[Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(*items)
    assert caught.value.param == param


@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output"])
def test_an_output_needs_its_call(kind: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(call("call_1"), {"type": kind, "call_id": "call_2", "output": "x"})
    assert (caught.value.code, caught.value.param) == ("tool_call_not_found", "input[1].call_id")
    assert caught.value.status == 400


scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4)
fields = st.sampled_from(["type", "text", "role", "content", "call_id", "summary", "name"])
objects = st.dictionaries(fields, scalars, max_size=3)
json_values = scalars | objects | st.lists(scalars | objects, max_size=2)
keys = st.sampled_from(
    [
        "role",
        "content",
        "call_id",
        "name",
        "arguments",
        "output",
        "summary",
        "id",
        "action",
        "error",
    ]
)
kinds = st.sampled_from(
    [
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "reasoning",
        "item_reference",
        "mcp_call",
        "shell_call",
        "shell_call_output",
        "compaction",
        "web_search_call",
    ]
)


@settings(max_examples=50)
@given(st.lists(st.tuples(kinds, st.dictionaries(keys, json_values, max_size=4)), max_size=4))
def test_whatever_comes_is_read_or_refused(items: list[tuple[str, dict[str, Any]]]) -> None:
    filled = [{**call("1"), **fields, "type": kind} for kind, fields in items]
    reader = MessageReader()
    with suppress(RequestError):
        reader.read(filled, "input")
    assert all(message.parts for message in reader.messages)
