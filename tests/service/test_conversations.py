"""Which account holds a conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chat2api.chat.conversation import Conversation, ReplyTo
from chat2api.chat.events import Event, Failure, Finish, TextDelta, Thread
from chat2api.errors import ConversationNotFound, NoAccountAvailable, UpstreamConnectionError
from chat2api.pool.values import Need
from chat2api.service.conversations import ThreadBook

Stage = Any

HELLO: list[Event] = [TextDelta("Hello"), Finish("stop")]
REFUSED = UpstreamConnectionError("No connection (stage: connect).")
KEPT = ReplyTo("conv-1", "msg-1")


def accounts(stage: Stage) -> list[str]:
    """Who took the turn, in order."""
    return [name for what, name in stage.pool.books if what == "lease"]


def test_what_was_noted_last_holds() -> None:
    book = ThreadBook()
    book.note("conv-1", "a")
    book.note("conv-2", "b")
    book.note("conv-1", "c")
    found = [book.account_of(ReplyTo(name, "msg")) for name in ("conv-1", "conv-2", "conv-3")]
    assert found == ["c", "b", None]


def test_a_new_conversation_has_no_account() -> None:
    assert ThreadBook().account_of(None) is None


def test_the_newest_are_kept() -> None:
    book = ThreadBook(most=2)
    for name in ("conv-1", "conv-2", "conv-1", "conv-3"):
        book.note(name, "a")
    found = [book.account_of(ReplyTo(name)) for name in ("conv-1", "conv-2", "conv-3")]
    assert found == ["a", None, "a"]


# --- as turns use it


def test_the_account_of_a_conversation_is_noted_and_asked_for(
    stage: Stage, hello: Conversation
) -> None:
    stage.provider.scripts = [[REFUSED], [Thread("conv-1", "msg-1"), *HELLO], HELLO]
    stage.turn(replace(hello, keep_history=True))
    stage.turn(replace(hello, reply_to=KEPT))
    assert accounts(stage) == ["a", "b", "b"]
    assert stage.pool.needs[-1] == Need("fake", "auto", only="b")


def test_a_conversation_of_unknown_place_is_looked_for(stage: Stage, hello: Conversation) -> None:
    gone = ConversationNotFound("No such conversation.")
    stage.provider.scripts = [[gone], [gone], [Thread("conv-1", "msg-2"), *HELLO]]
    assert stage.turn(replace(hello, reply_to=KEPT))[-1] == Finish("stop")
    assert accounts(stage) == ["a", "b", "c"]
    assert stage.threads.account_of(KEPT) == "c"
    assert stage.pauses == []


def test_a_conversation_of_known_place_is_not(stage: Stage, hello: Conversation) -> None:
    gone = ConversationNotFound("No such conversation.")
    stage.threads.note("conv-1", "b")
    stage.provider.scripts = [[gone]]
    assert stage.turn(replace(hello, reply_to=KEPT)) == [Failure(gone.info)]
    assert accounts(stage) == ["b"]


def test_a_conversation_nobody_has_is_not_found(stage: Stage, hello: Conversation) -> None:
    gone = ConversationNotFound("No such conversation.")
    stage.pool.accounts = stage.pool.accounts[:2]
    stage.pool.when_empty = NoAccountAvailable("No other.")
    stage.provider.scripts = [[gone]]
    assert stage.turn(replace(hello, reply_to=KEPT)) == [Failure(gone.info)]
    assert accounts(stage) == ["a", "b"]
