"""`system` and `messages`: every block, and the places where results of tools go."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.conversation import File, Image, Message, Text, ToolCall, ToolResult
from chat2api.dialects.anthropic_content import parse_messages, parse_system
from chat2api.errors import RequestError

PIXEL = {"type": "base64", "media_type": "image/png", "data": "aGk="}
USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome", "n": 1}}
CALL = ToolCall("call_1", "weather", '{"city":"Rome","n":1}')


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def result(content: Any = "Sunny", tool_use: str = "toolu_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_use, "content": content, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def one(content: Any) -> tuple[Any, ...]:
    """The parts of a user's message."""
    (message,) = parse_messages([user(content)])
    return message.parts


def refusal(*messages: Any) -> tuple[str | None, str | None]:
    with pytest.raises(RequestError) as caught:
        parse_messages(list(messages))
    return caught.value.param, caught.value.code


# --- system


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, None),
        ([], None),
        ("Be brief.", "Be brief."),
        ([text("Be brief.", cache_control={"type": "ephemeral"})], "Be brief."),
        ([text("Be brief."), text("Be kind.")], "Be brief.\n\nBe kind."),
        ([text("x-anthropic-billing-header: a=1; b=2;"), text("Be brief.")], "Be brief."),
        ([text("x-anthropic-billing-header: a=1;")], None),
    ],
)
def test_system(system: Any, expected: str | None) -> None:
    messages = parse_system(system)
    assert messages == (() if expected is None else (Message("system", (Text(expected),)),))


@pytest.mark.parametrize(
    ("system", "param"),
    [
        (7, "system"),
        ([7], "system[0]"),
        ([{"type": "image", "source": PIXEL}], "system[0].type"),
        ([text("x"), {"type": "text"}], "system[1].text"),
    ],
)
def test_systems_that_are_refused(system: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_system(system)
    assert caught.value.param == param


# --- blocks of the user


def test_texts() -> None:
    assert one("Hi") == (Text("Hi"),)
    assert one([text("<reminder>"), text("Hi")]) == (Text("<reminder>\n\nHi"),)


def test_pictures() -> None:
    url = {"type": "url", "url": "https://x.test/a.png"}
    blocks = [text("a"), {"type": "image", "source": PIXEL}, {"type": "image", "source": url}]
    assert one([*blocks, text("b")]) == (
        Text("a"),
        Image("data:image/png;base64,aGk="),
        Image("https://x.test/a.png"),
        Text("b"),
    )


@pytest.mark.parametrize(
    ("source", "more", "expected"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": "aGk="},
            {"title": "Report"},
            (File("data:application/pdf;base64,aGk=", name="Report"),),
        ),
        ({"type": "url", "url": "https://x.test/a.pdf"}, {}, (File("https://x.test/a.pdf"),)),
        ({"type": "file", "file_id": "file_1"}, {}, (File(file_id="file_1"),)),
        ({"type": "text", "media_type": "text/plain", "data": "Words"}, {}, (Text("Words"),)),
        (
            {"type": "text", "data": "Words"},
            {"title": "Report", "context": "Of May", "citations": {"enabled": True}},
            (Text("Report\nOf May\n\nWords"),),
        ),
        ({"type": "content", "content": "Words"}, {"title": "T"}, (Text("T\n\nWords"),)),
        (
            {"type": "content", "content": [text("a"), {"type": "image", "source": PIXEL}]},
            {},
            (Text("a"), Image("data:image/png;base64,aGk=")),
        ),
    ],
)
def test_documents(source: Any, more: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert one([{"type": "document", "source": source, **more}]) == expected


def test_search_results() -> None:
    block = {
        "type": "search_result",
        "source": "https://x.test",
        "title": "X",
        "content": [text("found")],
    }
    assert one([block]) == (Text("X\nhttps://x.test\n\nfound"),)


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (None, "content"),
        (7, "content"),
        ([], "content"),
        (["x"], "content[0]"),
        ([{"text": "x"}], "content[0].type"),
        ([{"type": "video"}], "content[0].type"),
        ([{"type": "image"}], "content[0].source"),
        ([{"type": "image", "source": {"type": "file", "file_id": "x"}}], "content[0].source.type"),
        ([{"type": "image", "source": {**PIXEL, "data": ""}}], "content[0].source.data"),
        ([{"type": "document", "source": {"type": "url"}}], "content[0].source.url"),
        ([text("x"), result([{"type": "document"}])], "content[1].content[0].source"),
        ([USE], "content[0].type"),
        ([{"type": "tool_result"}], "content[0].tool_use_id"),
    ],
)
def test_contents_that_are_refused(content: Any, param: str) -> None:
    assert refusal(assistant(USE), user(content))[0] == f"messages[1].{param}"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (7, "messages[0]"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "tool", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        (
            {"role": "assistant", "content": [{**USE, "input": "{}"}]},
            "messages[0].content[0].input",
        ),
        ({"role": "assistant", "content": [{**USE, "id": ""}, 7]}, "messages[0].content[1]"),
        ({"role": "assistant", "content": []}, "messages"),
    ],
)
def test_messages_that_are_refused(message: Any, param: str) -> None:
    assert refusal(message)[0] == param


# --- calls and results


def test_a_round_trip() -> None:
    assert parse_messages(
        [user("Weather?"), assistant(text("Let me see."), USE), user([result(), text("Well?")])]
    ) == (
        Message("user", (Text("Weather?"),)),
        Message("assistant", (Text("Let me see."), CALL)),
        Message("tool", (ToolResult("call_1", "Sunny"),)),
        Message("user", (Text("Well?"),)),
    )


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (result(None), ToolResult("call_1", "")),
        ({"type": "tool_result", "tool_use_id": "toolu_1"}, ToolResult("call_1", "")),
        (result("No", is_error=True), ToolResult("call_1", "No", is_error=True)),
        (result([text("a"), text("b")]), ToolResult("call_1", "a\n\nb")),
        (
            result([text("a"), {"type": "image", "source": PIXEL}]),
            ToolResult("call_1", "a", (Image("data:image/png;base64,aGk="),)),
        ),
        (result([{"type": "tool_reference", "tool_name": "x"}]), ToolResult("call_1", "")),
    ],
)
def test_results(block: Any, expected: ToolResult) -> None:
    assert parse_messages([assistant(USE), user([block])])[1:] == (Message("tool", (expected,)),)


def test_a_document_in_a_result_follows_it() -> None:
    document = {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}}
    assert parse_messages([assistant(USE), user([result([document, text("See")])])])[1:] == (
        Message("tool", (ToolResult("call_1", "See"),)),
        Message("user", (File("https://x.test/a.pdf"),)),
    )


def test_results_stand_right_after_the_calls() -> None:
    other = {**USE, "id": "toolu_2"}
    messages = parse_messages(
        [
            assistant(USE, other),
            {"role": "system", "content": "Hurry."},
            user([text("First"), result("1")]),
            user([result("2", "toolu_2")]),
        ]
    )
    assert [message.role for message in messages] == [
        "assistant", "tool", "tool", "system", "user",
    ]  # fmt: skip
    assert [part.text for message in messages[1:3] for part in message.parts] == ["1", "2"]


def test_a_result_without_its_call_is_refused() -> None:
    assert refusal(user([result()])) == (
        "messages[0].content[0].tool_use_id",
        "tool_call_not_found",
    )
    assert refusal(assistant(USE), user([result(tool_use="toolu_2")]))[1] == "tool_call_not_found"


# --- what is accepted and left out


def test_what_only_the_other_makers_models_can_use() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        text("Found"),
        text(" it."),
    ]
    assert parse_messages([user("?"), assistant(*blocks)])[1:] == (
        Message("assistant", (Text("Found it."),)),
    )
    assert len(parse_messages([user("?"), assistant(blocks[0])])) == 1


def test_roles_in_any_order() -> None:
    messages = parse_messages(
        [
            user("a"),
            user("b"),
            {"role": "system", "content": [text("c")]},
            {"role": "assistant", "content": "d"},
        ]
    )
    assert [(message.role, message.text) for message in messages] == [
        ("user", "a"),
        ("user", "b"),
        ("system", "c"),
        ("assistant", "d"),
    ]
