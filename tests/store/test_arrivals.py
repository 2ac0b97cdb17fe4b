"""What came from files, and whose accounts the configuration lists."""

from __future__ import annotations

import hashlib

from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import NOW, handed, rows


def test_entries_are_known_by_what_they_say(store: Store) -> None:
    book = ArrivalBook(store)
    one, two = book.fingerprint("a", "b"), book.fingerprint("ab")
    assert (one != two, one == book.fingerprint("a", "b")) == (True, True)
    book.note([one, one])
    book.note([one])
    assert book.known([one, two]) == {one}
    assert book.known([]) == set()
    many = [book.fingerprint(str(number)) for number in range(1200)]
    book.note(many)
    assert book.known(many) == set(many)


def test_accounts_of_the_configuration(store: Store, intake: Intake) -> None:
    book = ArrivalBook(store)
    ids = [added.account_id for added in intake.add([handed("a"), handed("b")], "upload")]
    assert book.listed() == {}
    book.list_as({"one": ids[0], "two": ids[1]})
    assert book.listed() == {"one": ids[0], "two": ids[1]}
    AccountBook(store).remove([ids[0]])
    assert book.listed() == {"two": ids[1]}


def test_a_seed_is_kept_sealed_and_once(store: Store) -> None:
    book = ArrivalBook(store)

    def add(*conversations: str) -> bool:
        return book.add_seed(Secret("planted"), None, "acc_1", "u", conversations, "file")

    assert [add("c", "d"), add("c", "d"), add("d", "e")] == [True, False, True]
    (seed,) = rows(store, tables.seeds)
    assert store.vault.open(seed["seed"]) == Secret("planted")
    assert {name: seed[name] for name in seed if name != "seed"} == {
        "seed_hash": store.vault.hash("planted"),
        "account_id": "acc_1",
        "user_id": "u",
        "source": "file",
        "created_at": NOW,
    }
    found = [
        (row["conversation_id"], row["position"]) for row in rows(store, tables.seed_conversations)
    ]
    assert found == [("c", 0), ("d", 1), ("e", 1)]


def test_a_seed_of_which_only_the_hash_is_known(store: Store) -> None:
    digest = hashlib.sha256(b"seed").hexdigest()
    assert ArrivalBook(store).add_seed(None, digest, None, "", [], "file")
    (seed,) = rows(store, tables.seeds)
    assert (seed["seed_hash"], seed["seed"]) == (f"sha256:{digest}", None)


def test_facts_about_conversations(store: Store) -> None:
    book = ArrivalBook(store)
    facts = {"c": {"title": "Hello", "at": 1.5}, "d": {}}
    assert [book.add_conversations(facts), book.add_conversations(facts)] == [2, 0]
    assert book.add_conversations({}) == 0
    assert rows(store, tables.conversation_facts) == [
        {"conversation_id": "c", "facts": '{"title": "Hello", "at": 1.5}'},
        {"conversation_id": "d", "facts": "{}"},
    ]
