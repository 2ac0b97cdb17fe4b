"""Which account holds a conversation."""

from __future__ import annotations

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.store import conversations, tables
from chat2api.store.conversations import KEPT_SECONDS, ConversationBook
from chat2api.store.opening import Store

from .handed import NOW, Clock, rows


def test_what_one_worker_noted_another_knows(store: Store) -> None:
    one, two = ConversationBook(store), ConversationBook(store)
    assert two.account_of("c") is None
    one.note("c", "a")
    assert [book.account_of("c") for book in (one, two)] == ["a", "a"]
    one.note("c", "b")
    assert rows(store, tables.conversations) == [
        {"conversation_id": "c", "account_id": "b", "seen_at": NOW}
    ]
    assert ConversationBook(store).account_of("c") == "b"


def test_old_ones_are_forgotten(store: Store, now: Clock) -> None:
    book = ConversationBook(store)
    book.note("old", "a")
    now.at += KEPT_SECONDS
    book.note("new", "a")
    now.at += 1
    assert book.forget_old() == 1
    assert [row["conversation_id"] for row in rows(store, tables.conversations)] == ["new"]


def test_a_database_that_is_away_costs_the_knowledge_and_no_turn(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable("away")

    book = ConversationBook(sqlite_store)
    monkeypatch.setattr(sqlite_store.database, "write", away)
    monkeypatch.setattr(sqlite_store.database, "read", away)
    book.note("c", "a")
    assert (book.account_of("c"), book.account_of("d")) == ("a", None)
    assert caplog.messages == ["a conversation's account could not be written down"]


def test_memory_is_bounded(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "_MOST_REMEMBERED", 3)
    book = ConversationBook(sqlite_store)
    for number in range(5):
        book.note(f"c{number}", "a")
    assert list(book._known) == ["c2", "c3", "c4"]
    assert book.account_of("c0") == "a"
