"""Which account holds a conversation."""

from __future__ import annotations

from chat2api.chat.conversation import ReplyTo
from chat2api.service.threads import ThreadBook


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
