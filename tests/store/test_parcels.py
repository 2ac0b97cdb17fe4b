"""Parcels: sealed, for their owner only, for a while, and taken once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chat2api.secret import Secret
from chat2api.store.desk_tables import parcels
from chat2api.store.opening import Store
from chat2api.store.parcels import Parcels

from .handed import Clock, change, rows

TEXT = "rt_planted0000000000000000"


@pytest.fixture
def kept(store: Store) -> Parcels:
    return Parcels(store)


def put(kept: Parcels, content: str = TEXT, **changes: Any) -> Secret:
    given: dict[str, Any] = {"owner": "session 1", "seconds": 60.0, **changes}
    return kept.keep(given.pop("kind", "import"), content, **given)


def test_looking_leaves_it_and_taking_does_not(kept: Parcels) -> None:
    ticket = put(kept, facts={"new": 3})
    assert kept.look(ticket, "import", "session 1") == ({"new": 3}, TEXT)
    assert kept.take(ticket, "import", "session 1") == ({"new": 3}, TEXT)
    assert kept.take(ticket, "import", "session 1") is None
    assert kept.look(ticket, "import", "session 1") is None


def test_nothing_of_it_lies_open(kept: Parcels, store: Store) -> None:
    ticket = put(kept)
    assert TEXT not in repr(rows(store, parcels))
    assert ticket.reveal() not in repr(rows(store, parcels))


@pytest.mark.parametrize(
    ("kind", "owner"), [("export", "session 1"), ("import", "session 2"), ("import", "")]
)
def test_who_it_does_not_belong_to_neither_gets_nor_drops_it(
    kept: Parcels, kind: str, owner: str
) -> None:
    ticket = put(kept)
    assert kept.look(ticket, kind, owner) is None
    assert kept.take(ticket, kind, owner) is None
    assert kept.drop(ticket, kind, owner) is False
    assert kept.look(ticket, "import", "session 1") is not None


@pytest.mark.parametrize("text", ["", "guess", "x" * 100_000, "\x00", "\ud800"])
def test_what_is_no_ticket(kept: Parcels, text: str) -> None:
    put(kept)
    assert kept.look(Secret(text), "import", "session 1") is None
    assert kept.take(Secret(text), "import", "session 1") is None
    assert kept.drop(Secret(text), "import", "session 1") is False


def test_it_ends(kept: Parcels, store: Store, now: Clock) -> None:
    short, long = put(kept, seconds=60.0), put(kept, seconds=61.0)
    now.at += 60
    assert kept.look(short, "import", "session 1") is None
    assert kept.take(short, "import", "session 1") is None
    assert (kept.prune(), kept.prune()) == (1, 0)
    assert kept.look(long, "import", "session 1") is not None
    now.at += 1
    put(kept, kind="export")  # sweeps by the way
    assert [row["kind"] for row in rows(store, parcels)] == ["export"]


def test_dropped(kept: Parcels) -> None:
    ticket = put(kept)
    assert kept.drop(ticket, "import", "session 1") is True
    assert kept.drop(ticket, "import", "session 1") is False


def test_the_oldest_of_many_make_room(kept: Parcels, now: Clock) -> None:
    other = put(kept, owner="session 2")
    tickets = []
    for _ in range(7):
        tickets.append(put(kept))
        now.at += 1
    there = [kept.look(each, "import", "session 1") is not None for each in tickets]
    assert there == [False, False, True, True, True, True, True]
    assert kept.look(other, "import", "session 2") is not None


def test_a_damaged_one_is_gone(kept: Parcels, store: Store) -> None:
    ticket = put(kept)
    change(store, parcels, content="damaged")
    assert kept.look(ticket, "import", "session 1") is None


def test_large_ones(kept: Parcels) -> None:
    content = "é\n" * 1_000_000
    assert kept.take(put(kept, content), "import", "session 1") == ({}, content)


def test_one_of_many_gets_it(kept: Parcels) -> None:
    ticket = put(kept)
    got: list[object] = []
    threads = [
        threading.Thread(target=lambda: got.append(kept.take(ticket, "import", "session 1")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len([each for each in got if each is not None]) == 1
    assert len(got) == 4
