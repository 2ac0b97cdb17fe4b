"""Stored responses: sealed, for their owner only, a chain of turns, and forgotten in time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.errors import ContextTooLong, StorageUnavailable
from chat2api.store import responses as room
from chat2api.store.api_tables import response_items, responses
from chat2api.store.opening import Store
from chat2api.store.responses import StoredResponses, Turn

from .handed import DAY, Clock, change, rows

MINE, OTHER = "key-1", "key-2"
SAID = "a secret of the caller"


@pytest.fixture
def kept(store: Store) -> StoredResponses:
    return StoredResponses(store, breathe=lambda: None)


def said(text: str, item_id: str) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "content": [{"type": "text", "text": text}]}


def turn(name: str, previous: str | None = None, text: str = SAID) -> Turn:
    answer = {"id": name, "object": "response", "output": [said(text, f"msg_{name}")]}
    return Turn(answer, [said(f"ask {name}", f"in_{name}")], previous)


def put(kept: StoredResponses, *names: str, owner: str = MINE, seconds: float = DAY) -> None:
    """A chain, the oldest first."""
    for previous, name in zip((None, *names), names, strict=False):
        assert kept.keep(turn(name, previous), owner, seconds)


def names(turns: list[Turn] | None) -> list[str] | None:
    return None if turns is None else [each.response["id"] for each in turns]


def test_what_was_kept_is_found_as_it_was(kept: StoredResponses) -> None:
    put(kept, "r1")
    assert kept.find("r1", MINE) == turn("r1")
    assert turn("r1").items == [said("ask r1", "in_r1"), said(SAID, "msg_r1")]


def test_nothing_of_it_lies_open(kept: StoredResponses, store: Store) -> None:
    put(kept, "r1")
    assert SAID not in repr(rows(store, responses))
    assert "ask r1" not in repr(rows(store, responses))


@pytest.mark.parametrize("owner", [OTHER, "", "key-11"])
def test_others_neither_see_nor_change_it(kept: StoredResponses, owner: str) -> None:
    put(kept, "r1")
    assert kept.find("r1", owner) is None
    assert kept.delete("r1", owner) is False
    assert kept.chain("r1", owner, DAY) is None
    assert kept.items(["msg_r1"], owner) == {}
    assert kept.find("r1", MINE) is not None


def test_an_id_is_taken_once(kept: StoredResponses) -> None:
    put(kept, "r1")
    assert kept.keep(turn("r1", text="another"), OTHER, DAY) is False
    assert kept.find("r1", MINE) == turn("r1")


@pytest.mark.parametrize("text", ["", "r2", "x" * 10_000, "r\x001", "\ud800", "é"])
def test_what_is_no_id(kept: StoredResponses, text: str) -> None:
    put(kept, "r1")
    assert kept.find(text, MINE) is None
    assert kept.delete(text, MINE) is False
    assert kept.chain(text, MINE, DAY) is None
    assert kept.items([text], MINE) == {}


def test_deleted_with_its_items(kept: StoredResponses, store: Store) -> None:
    put(kept, "r1")
    assert kept.delete("r1", MINE) is True
    assert kept.delete("r1", MINE) is False
    assert kept.find("r1", MINE) is None
    assert rows(store, response_items) == []


def test_a_chain_is_read_oldest_first(kept: StoredResponses) -> None:
    put(kept, "r1", "r2", "r3")
    assert names(kept.chain("r3", MINE, DAY)) == ["r1", "r2", "r3"]
    assert names(kept.chain("r2", MINE, DAY)) == ["r1", "r2"]
    put(kept, "other")
    assert names(kept.chain("other", MINE, DAY)) == ["other"]


def test_a_chain_may_fork(kept: StoredResponses) -> None:
    put(kept, "r1", "r2")
    assert kept.keep(turn("r3", "r1"), MINE, DAY)
    assert names(kept.chain("r3", MINE, DAY)) == ["r1", "r3"]
    assert names(kept.chain("r2", MINE, DAY)) == ["r1", "r2"]


def test_a_chain_that_misses_a_turn_is_none(kept: StoredResponses) -> None:
    put(kept, "r1", "r2", "r3")
    kept.delete("r1", MINE)
    assert kept.chain("r3", MINE, DAY) is None
    assert kept.find("r3", MINE) is not None


def test_a_chain_does_not_lead_to_others(kept: StoredResponses) -> None:
    put(kept, "r1", owner=OTHER)
    kept.keep(turn("r2", "r1"), MINE, DAY)
    assert kept.chain("r2", MINE, DAY) is None


def test_a_long_chain(kept: StoredResponses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_TURNS", 12)
    put(kept, *(f"r{number}" for number in range(13)))
    assert len(kept.chain("r11", MINE, DAY) or ()) == 12
    with pytest.raises(ContextTooLong) as refused:
        kept.chain("r12", MINE, DAY)
    assert refused.value.param == "previous_response_id"


def test_a_chain_of_more_parts_than_are_asked_for_at_once(kept: StoredResponses) -> None:
    chain = [f"r{number}" for number in range(205)]
    put(kept, *chain)
    assert names(kept.chain("r204", MINE, DAY)) == chain


def test_sizes_are_bounded(kept: StoredResponses, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 200
    monkeypatch.setattr(room, "MOST_BYTES", 3 * size)
    assert kept.keep(turn("big", text="x" * 700), MINE, DAY) is False
    put(kept, "r1", "r2", "r3", "r4")
    assert len(kept.chain("r2", MINE, DAY) or ()) == 2
    with pytest.raises(ContextTooLong):
        kept.chain("r4", MINE, DAY)
    with pytest.raises(ContextTooLong):
        kept.items(["msg_r1", "msg_r2", "msg_r3", "msg_r4"], MINE)


@pytest.mark.parametrize("entropy", [0, 300_000])
def test_large_ones(store: Store, entropy: int) -> None:
    """In pieces, with a rest before each, whether they can be packed well or not."""
    rests: list[None] = []
    kept = StoredResponses(store, lambda: rests.append(None))
    noise = random.Random(1).randbytes(entropy).hex()
    text = noise + "é\n" * 1_000_000
    assert kept.keep(turn("r1", text=text), MINE, DAY)
    assert len(rests) > 12
    rests.clear()
    assert kept.find("r1", MINE) == turn("r1", text=text)
    assert len(rests) > 12
    (row,) = rows(store, responses)
    assert row["content"].count("\n") == (1 if entropy else 0)


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.partition("\n")[0]])
def test_large_ones_that_are_not_whole(
    kept: StoredResponses, store: Store, damage: Callable[[str], str]
) -> None:
    kept.keep(turn("r1", text=random.Random(1).randbytes(300_000).hex()), MINE, DAY)
    (row,) = rows(store, responses)
    change(store, responses, content=damage(row["content"]))
    assert kept.find("r1", MINE) is None


def test_single_items(kept: StoredResponses) -> None:
    put(kept, "r1", "r2")
    found = kept.items(["msg_r2", "msg_r1", "msg_r2", "nothing", "in_r1"], MINE)
    assert found == {"msg_r1": said(SAID, "msg_r1"), "msg_r2": said(SAID, "msg_r2")}


def test_of_items_with_one_id_the_newest(kept: StoredResponses, now: Clock) -> None:
    for name in ("r1", "r2"):
        answer = {"id": name, "output": [said(name, "msg"), said("again", "msg")]}
        assert kept.keep(Turn(answer, []), MINE, DAY)
        now.at += 1
    assert kept.items(["msg"], MINE) == {"msg": said("r2", "msg")}


def test_it_ends(kept: StoredResponses, now: Clock) -> None:
    put(kept, "r1")
    now.at += DAY
    assert kept.find("r1", MINE) is None
    assert kept.chain("r1", MINE, DAY) is None
    assert kept.items(["msg_r1"], MINE) == {}
    assert kept.delete("r1", MINE) is False
    assert (kept.prune(100, 10**9), kept.prune(100, 10**9)) == (1, 0)


def test_a_chain_that_is_used_is_kept_on(kept: StoredResponses, store: Store, now: Clock) -> None:
    put(kept, "r1", "r2", "r3")
    now.at += DAY / 2
    kept.chain("r2", MINE, DAY)
    ends = {row["response_id"]: row["expires_at"] - now.at for row in rows(store, responses)}
    assert ends == {"r1": DAY, "r2": DAY, "r3": DAY / 2}
    now.at += 1
    kept.chain("r2", MINE, DAY)  # not worth a write
    assert rows(store, responses)[0]["expires_at"] == now.at - 1 + DAY


def test_reading_does_without_a_database_that_takes_no_writes(
    kept: StoredResponses, store: Store, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: Any, **more: Any) -> None:
        raise StorageUnavailable("busy")

    put(kept, "r1")
    now.at += DAY / 2
    monkeypatch.setattr(store.database, "write", refuse)
    assert names(kept.chain("r1", MINE, DAY)) == ["r1"]


def test_above_the_most_those_go_that_were_not_used_for_longest(
    kept: StoredResponses, now: Clock
) -> None:
    for name in ("r1", "r2", "r3", "r4"):
        put(kept, name)
        now.at += 10_000
    kept.chain("r1", MINE, DAY)
    assert kept.prune(3, 10**9) == 1
    assert kept.find("r2", MINE) is None
    assert kept.prune(2, 10**9) == 1
    assert [name for name in ("r1", "r3", "r4") if kept.find(name, MINE)] == ["r1", "r4"]


def test_above_so_many_bytes_too(kept: StoredResponses, store: Store, now: Clock) -> None:
    for name in ("r1", "r2", "r3"):
        put(kept, name)
        now.at += 1
    size = rows(store, responses)[0]["size"]
    assert kept.prune(100, 3 * size) == 0
    assert kept.prune(100, 3 * size - 1) == 1
    assert kept.find("r1", MINE) is None


def test_many_go_at_once(kept: StoredResponses, store: Store) -> None:
    put(kept, *(f"r{number:03}" for number in range(250)))
    assert kept.prune(20, 10**9) == 230
    assert [row["response_id"] for row in rows(store, responses)] == [
        f"r{number:03}" for number in range(230, 250)
    ]
    size = rows(store, responses)[0]["size"]
    assert kept.prune(10, 15 * size) == 10


def test_what_is_to_go_is_told_without_reading_it(store: Store) -> None:
    """Rows are large, and there are many."""
    if not store.database.is_sqlite:
        pytest.skip("PostgreSQL keeps large texts apart from their rows")
    plan = "EXPLAIN QUERY PLAN SELECT {} FROM responses {}"
    for query in (
        plan.format("count(*), sum(size)", ""),
        plan.format("response_id, size", "ORDER BY expires_at, response_id LIMIT 9"),
    ):
        told = store.database.read(lambda c, query=query: c.exec_driver_sql(query).all())
        assert "COVERING INDEX ix_responses_expires_at_response_id_size" in told[0][3]


def test_what_cannot_be_opened_is_gone(kept: StoredResponses, store: Store) -> None:
    put(kept, "r1", "r2")
    change(store, responses, content="damaged")
    assert kept.find("r1", MINE) is None
    assert kept.chain("r2", MINE, DAY) is None
    assert kept.items(["msg_r1"], MINE) == {}
