"""providers.chatgpt.documents: from a stored conversation to the messages of a turn."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.providers.chatgpt.documents import is_running, turn_messages


def document(*chain: tuple[str, str | None], **nodes: Any) -> dict[str, Any]:
    """A chain of (id, role) from the root; a None role is a node without a message."""
    mapping: dict[str, Any] = {}
    parent = None
    for node_id, role in chain:
        message = {"id": node_id, "author": {"role": role}} if role else None
        mapping[node_id] = {"id": node_id, "message": message, "parent": parent}
        parent = node_id
    return {"mapping": {**mapping, **nodes}, "current_node": parent}


def ids(found: list[Any]) -> list[str]:
    return [message["id"] for message in found]


CHAIN = (("root", None), ("u1", "user"), ("a1", "assistant"), ("u2", "user"), ("t2", "tool"), ("a2", "assistant"))  # fmt: skip


def test_everything_after_our_newest_message_oldest_first() -> None:
    assert ids(turn_messages(document(*CHAIN), {"u1", "u2"})) == ["t2", "a2"]
    assert ids(turn_messages(document(*CHAIN), {"u1"})) == ["a1", "u2", "t2", "a2"]


def test_the_newest_user_message_stands_in_for_an_unknown_one() -> None:
    assert ids(turn_messages(document(*CHAIN), {"elsewhere"})) == ["t2", "a2"]
    assert ids(turn_messages(document(("a", "assistant")), ())) == ["a"]


def test_a_circle_ends() -> None:
    circle = {"message": {"id": "x"}, "parent": "x"}

    assert ids(turn_messages({"mapping": {"x": circle}, "current_node": "x"}, ())) == ["x"]


@pytest.mark.parametrize(
    "odd",
    [{}, {"mapping": None, "current_node": "x"}, {"mapping": {"x": None}, "current_node": "x"}],
)
def test_odd_documents_hold_nothing(odd: dict[str, Any]) -> None:
    assert turn_messages(odd, ()) == []


@pytest.mark.parametrize(
    ("status", "running"),
    [(None, False), (4, False), ("4", False), (3, True), ("3", True), (5, True),
     ("IS_STREAMING", True), ("COMPLETE", False), ("", False)],
)  # fmt: skip
def test_async_statuses(status: Any, running: bool) -> None:
    assert is_running(status) is running
