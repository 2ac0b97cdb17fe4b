"""Conversation bodies: what is taken, and how every mistake is named."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from chat2api.simulator.refusals import Refusal
from chat2api.simulator.validation import Ask, is_uuid, parse_ask, text_of

ID = "0f0f0f0f-0000-4000-8000-000000000001"
MESSAGE = {
    "id": ID,
    "author": {"role": "user"},
    "content": {"content_type": "text", "parts": ["Hi"]},
}
BODY = {
    "action": "next",
    "messages": [MESSAGE],
    "model": "auto",
    "parent_message_id": "client-created-root",
}


def test_a_body_as_it_should_be() -> None:
    full = {
        **BODY,
        "conversation_id": ID,
        "history_and_training_disabled": True,
        "supported_encodings": ["v1"],
        "system_hints": ["search"],
    }
    ask = parse_ask(full)
    expected = Ask(
        "next", (MESSAGE,), "auto", "client-created-root", ID, True, ("v1",), ("search",)
    )
    assert ask == expected
    assert ask.last_user_text == "Hi"


@pytest.mark.parametrize("action", ["continue", "variant"])
def test_other_actions_need_no_messages(action: str) -> None:
    body = {"action": action, "model": "auto", "parent_message_id": str(uuid.uuid4())}
    assert parse_ask(body).messages == ()
    assert parse_ask(body).last_user_text == ""


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"action": "dance"}, ["action"]),
        ({"model": ""}, ["model"]),
        ({"model": None}, ["model"]),
        ({"parent_message_id": None}, ["parent_message_id"]),
        ({"parent_message_id": "p0"}, ["parent_message_id"]),
        ({"messages": []}, ["messages"]),
        ({"messages": "Hi"}, ["messages"]),
        ({"messages": ["Hi"]}, ["messages", 0]),
        ({"messages": [{**MESSAGE, "id": "u1"}]}, ["messages", 0, "id"]),
        (
            {"messages": [{**MESSAGE, "author": {"role": "developer"}}]},
            ["messages", 0, "author", "role"],
        ),
        ({"messages": [{**MESSAGE, "content": "Hi"}]}, ["messages", 0, "content", "content_type"]),
        (
            {"messages": [{**MESSAGE, "content": {"content_type": "text", "parts": [1]}}]},
            ["messages", 0, "content", "parts"],
        ),
        ({"conversation_id": "c1"}, ["conversation_id"]),
        ({"supported_encodings": "v1"}, ["supported_encodings"]),
        ({"system_hints": [1]}, ["system_hints"]),
        ({"history_and_training_disabled": "yes"}, ["history_and_training_disabled"]),
    ],
)
def test_mistakes_are_named(change: dict[str, Any], where: list[Any], caller: Any) -> None:
    with pytest.raises(Refusal) as caught:
        parse_ask({**BODY, **change})
    assert caught.value.reply.status == 422
    answer = caller.post("/f/conversation", {**BODY, **change})
    assert answer.status == 422
    assert [one["loc"] for one in answer.json()["detail"]] == [["body", *where]]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_what_is_no_object_at_all(body: bytes, caller: Any) -> None:
    answer = caller.post("/f/conversation", body)
    assert answer.status == 422
    assert answer.json()["detail"][0]["loc"] == ["body"]


def test_text_of_several_parts() -> None:
    content = {"content_type": "multimodal_text", "parts": [{"asset_pointer": "x"}, "a", "b"]}
    assert text_of({"content": content}) == "a\nb"


@pytest.mark.parametrize(
    ("value", "verdict"), [(ID, True), (ID.upper(), True), ("x", False), (1, False)]
)
def test_uuids(value: object, verdict: bool) -> None:
    assert is_uuid(value) is verdict
