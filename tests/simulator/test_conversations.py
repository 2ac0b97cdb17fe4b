"""What is kept of a conversation: its tree, its state, its owner."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.conversations import Conversations, Running, final_messages
from chat2api.simulator.documents import Operation
from chat2api.simulator.script import Edit, Open, Tell, Wait, Write
from chat2api.simulator.turn import code_content, message, text_content


def said(text: str, message_id: str) -> dict[str, Any]:
    return message("assistant", text_content(text), message_id=message_id)


@pytest.fixture
def conversations(now: list[float]) -> Conversations:
    return Conversations(lambda: now[0])


def test_the_messages_as_they_stand_after_all_steps() -> None:
    steps = (
        Open(said("", "a1")),
        Write("One"),
        Wait(1),
        Write(" two"),
        Edit((Operation("/message/end_turn", "replace", True),)),
        Open(message("assistant", code_content("x"), message_id="k1")),
        Tell({"type": "heartbeat"}),
        Write(" = 1"),
    )
    first, second = final_messages(steps)
    assert (first["content"]["parts"], first["end_turn"]) == (["One two"], True)
    assert second["content"]["text"] == "x = 1"
    assert steps[0] == Open(said("", "a1")), "the script itself is left alone"


def test_a_tree_of_messages(conversations: Conversations) -> None:
    stored = conversations.create("c1", "ann", "Title", "Hi")
    stored.add(said("a", "m1"), "root")
    stored.add(said("b", "m2"), "m1")
    stored.add(said("c", "m3"), "m1")
    tree = {name: (node["parent"], node["children"]) for name, node in stored.nodes.items()}
    assert tree == {
        "root": (None, ["m1"]),
        "m1": ("root", ["m2", "m3"]),
        "m2": ("m1", []),
        "m3": ("m1", []),
    }
    assert stored.current == "m3"


@pytest.mark.parametrize(
    ("after", "lost", "status", "async_status", "count"),
    [
        (5, False, "IS_STREAMING", 3, 0),
        (11, False, "COMPLETE", 4, 1),
        (11, True, "FAILURE", 4, 0),
    ],
)
def test_an_answer_appears_when_it_is_ready(
    after: float,
    lost: bool,
    status: str,
    async_status: int,
    count: int,
    conversations: Conversations,
    now: list[float],
) -> None:
    stored = conversations.create("c1", "ann", "Title", "Hi")
    stored.running = Running([said("a", "m1")], now[0] + 10, is_async=True, lost=lost)
    now[0] += after
    found = conversations.find("c1", "ann")
    assert found is stored
    assert conversations.status(stored) == status
    document = conversations.document(stored)
    assert document["async_status"] == async_status
    assert sum(node["message"] is not None for node in document["mapping"].values()) == count


def test_others_and_hidden_ones_do_not_exist(conversations: Conversations) -> None:
    stored = conversations.create("c1", "ann", "Title", "Hi")
    assert conversations.find("c1", "bob") is None
    assert conversations.find("c2", "ann") is None
    stored.hidden = True
    assert conversations.find("c1", "ann") is None


def test_what_was_said_up_to_a_message(conversations: Conversations) -> None:
    stored = conversations.create("c", "me", "Title", "")
    stored.add(message("user", text_content("Hi"), message_id="u1"), "client-created-root")
    stored.add(message("tool", text_content("x"), message_id="t1"), "u1")
    hidden = {"is_visually_hidden_from_conversation": True}
    stored.add(message("system", text_content("y"), message_id="s1", metadata=hidden), "t1")
    stored.add(message("assistant", code_content("z"), recipient="python", message_id="a0"), "s1")
    stored.add(said("Hello", "a1"), "a0")
    stored.add(said("Another branch", "a2"), "s1")
    assert [(one.role, one.text) for one in stored.said("a1")] == [
        ("user", "Hi"),
        ("assistant", "Hello"),
    ]
    assert stored.said("client-created-root") == stored.said("nothing") == ()
