"""Input items: what is heard, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.codex.said import hear, new_call_id
from chat2api.simulator.codex.sealing import seal
from chat2api.simulator.mind.situation import Line

OWNER = "account-1"


def call(call_id: str = "call_1", name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": "{}", **more}


def output(call_id: str = "call_1", text: Any = "12") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def test_a_conversation() -> None:
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    heard = hear(
        [
            {"type": "message", "role": "developer", "content": "Be kind."},
            user([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]),
            {**thought, "id": "rs_1", "encrypted_content": seal(OWNER, "Hm.", 0)},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "Now.", "annotations": []}],
            },
            call(id="fc_1", namespace="space"),
            output(),
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        ],
        OWNER,
    )
    assert heard.lines == [
        Line("system", "Be kind."),
        Line("user", "ab"),
        Line("assistant", "Now."),
        Line("assistant", ""),
        Line("result", "12", "f"),
    ]


def test_calls_of_one_answer_are_one_whatever_stands_between() -> None:
    first, second = (new_call_id("ab" * 16, at) for at in (0, 1))
    later = new_call_id("cd" * 16, 0)
    assert (len(first), first != second) == (29, True)
    items = [call(first), output(first), call(second), output(second), call(later), output(later)]
    roles = [line.role for line in hear([user("x"), *items], OWNER).lines]
    assert roles == ["user", "assistant", "result", "result", "assistant", "result"]


def test_custom_calls() -> None:
    items = [
        {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "***"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
    ]
    assert hear(items, OWNER).lines[-1] == Line("result", "done", "patch")


def test_pictures_and_files_are_described() -> None:
    data = "data:image/png;base64,QUJD"
    heard = hear(
        [
            user([{"type": "input_image", "image_url": data, "detail": "high"}]),
            user([{"type": "input_image", "image_url": "https://x.test/a.png"}]),
            user([{"type": "input_file", "filename": "a.txt", "file_data": "data:,x"}]),
            call(),
            output(text=[{"type": "input_image", "image_url": data}]),
        ],
        OWNER,
    )
    assert [line.pictures for line in heard.lines] == [
        ("a picture of 3 bytes",),
        ("a picture at https://x.test/a.png",),
        ('a file "a.txt"',),
        (),
        ("a picture of 3 bytes",),
    ]
    assert heard.has_pictures
    assert not hear([user("x")], OWNER).has_pictures


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ("text", "input[0]"),
        ({"type": "smell"}, "input[0].type"),
        ({"role": "king", "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        ({**user("x"), "status": "completed"}, "input[0].status"),
        ({**user("x"), "id": "rs_1"}, "input[0].id"),
        ({**user("x"), "id": "msg_" + "x" * 61}, "input[0].id"),
        (call(call_id="x" * 65), "input[0].call_id"),
        (call(call_id=""), "input[0].call_id"),
        (call(status="completed"), "input[0].status"),
        ({"type": "function_call", "call_id": "c", "name": "f"}, "input[0].arguments"),
        (user([{"type": "output_text", "text": "x"}]), "input[0].content[0]"),
        (user([{"type": "input_text"}]), "input[0].content[0].text"),
        (
            user([{"type": "input_text", "text": "x", "prompt_cache_breakpoint": {}}]),
            "input[0].content[0].prompt_cache_breakpoint",
        ),
        (
            user([{"type": "input_image", "image_url": "http://x"}]),
            "input[0].content[0].image_url",
        ),
        (user([{"type": "input_image", "image_url": "data:image/png;base64,%"}]), None),
        (
            user([{"type": "input_image", "image_url": "https://x", "detail": "lots"}]),
            "input[0].content[0].detail",
        ),
        (user([{"type": "input_file", "filename": "a"}]), "input[0].content[0].file_data"),
        (user([{"type": "input_audio", "data": "x"}]), "input[0].content[0]"),
        ({"type": "reasoning", "encrypted_content": "x"}, "input[0].summary"),
        ({"type": "reasoning", "summary": []}, "input[0].encrypted_content"),
        ({"type": "reasoning", "summary": ["x"], "encrypted_content": "x"}, "input[0].summary"),
        ({"type": "reasoning", "summary": [], "content": []}, "input[0].content"),
        (output(), "input"),
        (call(), "input"),
    ],
)
def test_what_is_wrong_is_named(item: Any, param: str | None, refusal: Any) -> None:
    status, body = refusal(lambda: hear([item], OWNER))
    assert status == 400
    assert body["error"]["type"] == "invalid_request_error"
    if param is not None:
        assert body["error"]["param"] == param


def test_words_of_refusals(refusal: Any) -> None:
    def text(*items: Any) -> str:
        _, body = refusal(lambda: hear(list(items), OWNER))
        return str(body["detail"] if "detail" in body else body["error"]["message"])

    assert text({"role": "system", "content": "x"}) == "System messages are not allowed"
    assert text(call()) == "No tool output found for function call call_1."
    assert "function call output with call_id call_1" in text(output())
    assert refusal(lambda: hear("text", OWNER))[1] == {"detail": "Input must be a list"}
    assert refusal(lambda: hear([], OWNER))[0] == 400


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "rs_1"},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        user([{"type": "input_file", "file_id": "file-1"}]),
    ],
)
def test_nothing_is_kept_here(item: Any, refusal: Any) -> None:
    assert refusal(lambda: hear([item], OWNER))[0] == 404


@pytest.mark.parametrize("sealed", ["gAAAAAB", seal("account-2", "Hm.", 0)])
def test_thoughts_of_another_account(sealed: str, refusal: Any) -> None:
    item = {"type": "reasoning", "summary": [], "encrypted_content": sealed}
    _, body = refusal(lambda: hear([item], OWNER))
    assert body["error"]["code"] == "invalid_encrypted_content"
    assert sealed not in body["error"]["message"] or len(sealed) < 16
