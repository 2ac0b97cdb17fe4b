"""What a request of the Responses API goes on from, whose it is, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import NotFound, PreviousResponseNotFound, RequestError, StorageUnavailable
from chat2api.lifetime.budget import ByteBudget
from chat2api.pool.values import Credential
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey
from chat2api.service.threads import Memory, Past, Threads
from chat2api.store.opening import Store
from chat2api.store.responses import StoredResponses, Turn
from chat2api.store.vault import Vault

MINE = "key:1"


def said(text: str, item_id: str = "msg_1") -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "user", "content": text}


def turn(name: str, previous: str | None = None) -> Turn:
    answer = {"id": name, "output": [said(f"answer {name}", f"msg_{name}")]}
    return Turn(answer, [said(f"ask {name}", f"in_{name}")], previous)


@pytest.fixture
def threads(key_store: Store) -> Threads:
    return Threads(StoredResponses(key_store), key_store.vault, 30)


# --- whose they are


def test_every_caller_has_a_name_of_its_own(threads: Threads) -> None:
    callers = [
        PoolKey("1"),
        PoolKey("2"),
        Direct(Credential("same", Secret("token one"))),
        Direct(Credential("same", Secret("token two"))),
        DirectRefresh(Secret("rt one")),
        DirectRefresh(Secret("rt two")),
    ]
    names = [threads.owner_of(caller) for caller in callers]
    assert len(set(names)) == len(names)
    assert all(name and len(name) <= 80 for name in names)
    assert "token" not in repr(names)
    assert "rt one" not in repr(names)


def test_a_workspace_is_no_other_caller(threads: Threads) -> None:
    assert threads.owner_of(PoolKey("1", "ws")) == threads.owner_of(PoolKey("1"))
    one, two = (Direct(Credential("s", Secret("t"), name)) for name in ("a", None))
    assert threads.owner_of(one) == threads.owner_of(two)


def test_nobody_has_nothing(threads: Threads) -> None:
    assert threads.owner_of(Anonymous()) is None
    assert threads.keep(turn("r1"), None) is False
    with pytest.raises(NotFound):
        threads.find("r1", None)
    with pytest.raises(NotFound):
        threads.delete("r1", None)
    with pytest.raises(PreviousResponseNotFound):
        threads.past("r1", None)


# --- what came before


def test_the_past_is_all_turns_in_order(threads: Threads) -> None:
    threads.keep(turn("r1"), MINE)
    threads.keep(turn("r2", "r1"), MINE)
    past = threads.past("r2", MINE)
    assert [item["content"] for item in past.items] == [
        "ask r1", "answer r1", "ask r2", "answer r2",
    ]  # fmt: skip
    assert past.is_stored


def test_what_is_not_there_is_told_by_its_name(threads: Threads) -> None:
    with pytest.raises(PreviousResponseNotFound) as refused:
        threads.past("resp_x", MINE)
    assert refused.value.info.param == "previous_response_id"
    assert "resp_x" in refused.value.message


def test_what_a_connection_remembers_comes_first(threads: Threads) -> None:
    memory = Memory(ByteBudget(10**6))
    memory.remember("r1", Past((), False), [said("remembered")])
    assert threads.past("r1", None, memory) == Past((said("remembered"),), False)
    with pytest.raises(PreviousResponseNotFound):
        threads.past("r2", None, memory)


# --- items


def test_references_are_found_near_and_far(threads: Threads) -> None:
    threads.keep(turn("r1"), MINE)
    past = Past((said("near", "msg_near"),))
    asked = [
        {"type": "item_reference", "id": "msg_near"},
        {"id": "msg_r1"},
        {"type": "item_reference", "id": "msg_unknown"},
        said("no reference"),
        {"type": "item_reference", "id": 7},
    ]
    expand = threads.expander(asked, past, MINE)
    assert expand({"id": "msg_near"}) == [said("near", "msg_near")]
    assert expand({"id": "msg_r1"}) == [said("answer r1", "msg_r1")]
    assert expand({"id": "msg_unknown"}) is None
    assert expand({"id": ["unhashable"]}) is None
    others = threads.expander(asked, Past(), "key:2")
    assert others({"id": "msg_r1"}) is None


def test_nothing_is_looked_up_where_nothing_is_referred_to(threads: Threads, outage: Any) -> None:
    outage.is_away = True
    for asked in ("text", None, 7, [said("text")], [{"type": "item_reference", "id": "near"}]):
        threads.expander(asked, Past((said("x", "near"),)), MINE)
    with pytest.raises(StorageUnavailable):
        threads.expander([{"type": "item_reference", "id": "far"}], Past(), MINE)


# --- keeping


def test_an_answer_goes_out_also_where_it_cannot_be_kept(
    threads: Threads, outage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outage.is_away = True
    assert threads.keep(turn("r1"), MINE) is False
    assert "not stored" in caplog.text
    outage.is_away = False
    with pytest.raises(PreviousResponseNotFound):
        threads.past("r1", MINE)


def test_found_and_deleted(threads: Threads) -> None:
    assert threads.keep(turn("r1"), MINE) is True
    assert threads.find("r1", MINE) == turn("r1")
    threads.delete("r1", MINE)
    for act in (threads.find, threads.delete):
        with pytest.raises(NotFound, match=r"Response with id 'r1' not found\."):
            act("r1", MINE)


@pytest.mark.parametrize("form", [{}, {"type": None}, {"type": "item_reference", "role": "user"}])
def test_references_in_every_form(threads: Threads, form: dict[str, Any]) -> None:
    threads.keep(turn("r1"), MINE)
    item = {**form, "id": "msg_r1"}
    expand = threads.expander(
        [{"role": "user", "content": "Hi", "id": "msg_r1"}, item], Past(), MINE
    )
    assert expand(item) == [said("answer r1", "msg_r1")]


def test_what_is_referred_to_twice_is_refused(threads: Threads) -> None:
    """A small request must not become a large one."""
    threads.keep(turn("r1"), MINE)
    asked = [{"type": "item_reference", "id": "msg_r1"}, {"id": "other"}, {"id": "msg_r1"}]
    with pytest.raises(RequestError) as refused:
        threads.expander(asked, Past(), MINE)
    assert (refused.value.code, refused.value.param) == ("invalid_value", "input[2].id")


# --- summaries


def test_a_summary_is_read_by_its_server_only(threads: Threads, key_store: Store) -> None:
    sealed = threads.sealed_summary("what was said")
    assert "what was said" not in sealed
    item = {"type": "compaction", "id": "cmp_9", "encrypted_content": sealed}
    (message,) = threads.expander([], Past(), MINE)(item) or ()
    assert (message["id"], message["role"]) == ("cmp_9", "assistant")
    assert message["content"][0]["text"].endswith("\n\nwhat was said")
    other = Threads(StoredResponses(key_store), Vault([Secret("another key")]), 30)
    with pytest.raises(RequestError) as refused:
        other.expander([], Past(), MINE)(item)
    assert (refused.value.code, refused.value.param) == ("invalid_encrypted_content", "input")


@pytest.mark.parametrize("sealed", [None, "", "nonsense", 7, "é", {"a": 1}])
def test_what_is_no_summary(threads: Threads, sealed: Any) -> None:
    expand = threads.expander([], Past(), MINE)
    with pytest.raises(RequestError):
        expand({"type": "compaction", "encrypted_content": sealed})


def test_what_was_sealed_for_another_purpose_is_no_summary(
    threads: Threads, key_store: Store
) -> None:
    expand = threads.expander([], Past(), MINE)
    for other in (b"a token", b'["token", "x"]', b"[1]", b"{}", b"7"):
        sealed = key_store.vault.seal_bytes(other)
        with pytest.raises(RequestError):
            expand({"type": "compaction", "encrypted_content": sealed})


# --- the memory of a connection


def test_a_memory_holds_the_last_turns() -> None:
    memory = Memory(ByteBudget(10**6))
    past = Past()
    for number in range(Memory.MOST + 3):
        memory.remember(f"r{number}", past, [said(f"turn {number}")])
        past = memory.find(f"r{number}") or Past()
    assert memory.find("r2") is None
    assert len((memory.find("r3") or Past()).items) == 4
    newest = memory.find(f"r{Memory.MOST + 2}") or Past()
    assert [item["content"] for item in newest.items][:2] == ["turn 0", "turn 1"]
    memory.forget("r3")
    memory.forget("r3")
    assert memory.find("r3") is None


def test_a_memory_is_bounded() -> None:
    memory = Memory(ByteBudget(10**6), most_bytes=1000)
    memory.remember("r1", Past(), [said("x" * 400)])
    memory.remember("r2", Past(), [said("x" * 400)])
    assert memory.find("r1")
    memory.remember("r3", memory.find("r2") or Past(), [said("x" * 200)])
    assert [memory.find(name) is not None for name in ("r1", "r2", "r3")] == [False, False, True]
    memory.remember("r4", Past(), [said("x" * 2000)])
    assert memory.find("r4") is None
    memory.remember("r5", Past((said("x" * 2000),)), [said("short")])
    assert memory.find("r5") is None


def test_memories_together_are_bounded() -> None:
    budget = ByteBudget(1000)
    one, other = Memory(budget), Memory(budget)
    one.remember("r1", Past(), [said("x" * 500)])
    other.remember("r2", Past(), [said("x" * 500)])
    assert (one.find("r1") is not None, other.find("r2")) == (True, None)
    one.remember("r1", Past(), [said("x" * 400)])  # in place of itself
    one.close()
    assert one.find("r1") is None
    other.remember("r2", Past(), [said("x" * 500)])
    assert other.find("r2") is not None
    other.forget("r2")
    budget.take(1000)  # all of it was given back


def test_connections_of_a_worker_share_what_they_may_remember(threads: Threads) -> None:
    one, other = threads.memory(), threads.memory()
    one.remember("r1", Past(), [said("mine")])
    assert other.find("r1") is None
    assert one._budget is other._budget
