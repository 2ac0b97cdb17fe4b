"""Leases: whose turn it is, who waits for whom, and what is said when nobody can be had."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import (
    Blame,
    Chat2ApiError,
    ClientGone,
    NoAccountAvailable,
    Overloaded,
    PoolError,
    PoolExhausted,
)
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Lease, Need, Outcome
from chat2api.store.memory_pool import MemoryPool
from chat2api.store.token_file import read_accounts

MakePool = Callable[..., MemoryPool]


def taken(pool: MemoryPool, need: Need, call: Call) -> str:
    """The account a short turn gets."""
    with pool.lease(need, call) as lease:
        return lease.account.account_id


def refusal(pool: MemoryPool, need: Need) -> tuple[type[Chat2ApiError], float | None]:
    with pytest.raises(PoolError) as caught, pool.lease(need, Call(math.inf)):
        pass
    return type(caught.value), caught.value.retry_after


def told(pool: MemoryPool, need: Need, call: Call, blame: Blame | None, **more: Any) -> None:
    """A turn of `need` that ends so."""
    with pool.lease(need, call) as lease:
        pool.report(lease, Outcome(blame, need.model, **more))


def settled(claim: Callable[[], bool]) -> None:
    """Wait until it holds; threads of a test need a moment."""
    deadline = time.monotonic() + 2
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Turn(threading.Thread):
    """A turn in a thread of its own: takes a lease, notes it, holds it until `go_on`."""

    def __init__(self, pool: MemoryPool, need: Need, call: Call | None = None) -> None:
        super().__init__(daemon=True)
        self._pool = pool
        self._need = need
        self._go_on = threading.Event()
        self.call = call or Call(math.inf)
        self.got: str | Chat2ApiError | None = None
        self.start()

    def run(self) -> None:
        try:
            with self._pool.lease(self._need, self.call) as lease:
                self.got = lease.account.account_id
                self._go_on.wait(5)
        except Chat2ApiError as error:
            self.got = error

    def served(self) -> None:
        settled(lambda: self.got is not None)

    def end(self) -> str | Chat2ApiError | None:
        self._go_on.set()
        self.join(5)
        assert not self.is_alive()
        return self.got


@pytest.fixture
def turns() -> Iterator[Callable[..., Turn]]:
    """`turns(pool, need)` starts one and waits until it has its account or its place in the queue."""
    started: list[Turn] = []

    def start(pool: MemoryPool, need: Need, call: Call | None = None) -> Turn:
        turn = Turn(pool, need, call)
        started.append(turn)
        waiting = len(pool._waiters)
        settled(lambda: turn.got is not None or len(pool._waiters) > waiting or in_queue(turn))
        return turn

    def in_queue(turn: Turn) -> bool:
        return len(turn.call._hooks) > 0

    yield start
    for turn in started:
        turn.end()


# --- the choice


def test_accounts_take_turns(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", "b", "c")
    assert [taken(pool, need, call) for _ in range(7)] == list("abcabca")


def test_a_lease_names_the_account_and_itself(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", concurrency=2)
    with pool.lease(need, call) as first, pool.lease(need, call) as second:
        assert (first.account, first.lease_id != second.lease_id) == (second.account, True)
        assert "fk-a" not in repr(first)


def test_excluded_and_only(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", "b", "c")
    assert taken(pool, replace(need, excluded=frozenset("ac")), call) == "b"
    assert [taken(pool, replace(need, only="c"), call) for _ in range(2)] == ["c", "c"]
    assert refusal(pool, replace(need, only="nobody")) == (NoAccountAvailable, None)
    assert refusal(pool, replace(need, only="a", excluded=frozenset("a"))) == (
        NoAccountAvailable,
        None,
    )


def test_another_providers_accounts_are_not_ours(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    pool = make_pool("codex:a", "b")
    assert [taken(pool, need, call) for _ in range(2)] == ["b", "b"]
    assert taken(pool, Need("codex", "gpt-5"), call) == "a"


def test_a_busy_account_is_passed_over(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", "b", concurrency=2)
    with pool.lease(replace(need, only="a"), call), pool.lease(replace(need, only="a"), call):
        assert [taken(pool, need, call) for _ in range(3)] == ["b", "b", "b"]


def test_no_bound_on_concurrency(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", concurrency=0)
    with ExitStack() as held:
        leases = [held.enter_context(pool.lease(need, call)) for _ in range(200)]
    assert {lease.account.account_id for lease in leases} == {"a"}


def test_resting_makes_second_choice(
    make_pool: MakePool, need: Need, call: Call, clock: Any
) -> None:
    pool = make_pool("a", "b", "c")
    told(pool, need, call, Blame.TRANSIENT)
    assert [taken(pool, need, call) for _ in range(3)] == ["b", "c", "b"]
    assert taken(pool, replace(need, excluded=frozenset("bc")), call) == "a"
    clock.now += 31
    assert {taken(pool, need, call) for _ in range(3)} == {"a", "b", "c"}


# --- nobody


def test_an_empty_pool(make_pool: MakePool, need: Need) -> None:
    assert (make_pool().is_empty(), make_pool("a").is_empty()) == (True, False)
    assert refusal(make_pool(), need) == (NoAccountAvailable, None)


def test_all_need_a_login(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", "b")
    for _ in range(2):
        told(pool, need, call, Blame.NEEDS_LOGIN)
    assert refusal(pool, need) == (NoAccountAvailable, None)


def test_all_cooling_names_the_earliest_end(
    make_pool: MakePool, need: Need, call: Call, clock: Any
) -> None:
    pool = make_pool("a", "b", "c")
    for wait in (120.0, 45.0, None):
        told(pool, need, call, Blame.LIMITED if wait else Blame.NEEDS_LOGIN, retry_after=wait)
    assert refusal(pool, need) == (PoolExhausted, 45.0)
    clock.now += 44.5
    assert refusal(pool, need) == (PoolExhausted, 1.0)
    clock.now += 0.5
    assert taken(pool, need, call) == "b"


def test_a_limit_on_one_model_leaves_the_others(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    pool = make_pool("a")
    told(pool, need, call, Blame.LIMITED, retry_after=60.0, per_model=True)
    assert refusal(pool, need) == (PoolExhausted, 60.0)
    assert taken(pool, replace(need, model="gpt-4o"), call) == "a"


def test_when_all_that_were_tried_are_limited_the_pool_says_so(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    """The first request that meets the limits is told what the next one would be (A11)."""
    pool = make_pool("a", "b")
    for wait in (120.0, 45.0):
        told(pool, need, call, Blame.LIMITED, retry_after=wait)
    assert refusal(pool, replace(need, excluded=frozenset("ab"))) == (PoolExhausted, 45.0)
    assert refusal(pool, replace(need, only="a", excluded=frozenset("a"))) == (PoolExhausted, 120.0)


def test_when_one_that_was_tried_could_serve_there_is_just_no_other(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    pool = make_pool("a", "b")
    told(pool, need, call, Blame.LIMITED, retry_after=45.0)
    assert refusal(pool, replace(need, excluded=frozenset("ab"))) == (NoAccountAvailable, None)


# --- the queue


def test_the_queue_is_first_come_first_served(
    make_pool: MakePool, need: Need, turns: Callable[..., Turn]
) -> None:
    pool = make_pool("a")
    queue = [turns(pool, need) for _ in range(5)]
    assert [turn.got for turn in queue] == ["a", None, None, None, None]
    for index, turn in enumerate(queue):
        assert [later.got for later in queue[index + 1 :]] == [None] * (4 - index)
        assert turn.end() == "a"
        for following in queue[index + 1 : index + 2]:
            following.served()


def test_a_waiter_for_one_account_does_not_hold_up_the_others(
    make_pool: MakePool, need: Need, turns: Callable[..., Turn], call: Call
) -> None:
    pool = make_pool("a", "b")
    first = turns(pool, replace(need, only="a"))
    pinned = turns(pool, replace(need, only="a"))
    assert (first.got, pinned.got) == ("a", None)
    assert [taken(pool, need, call) for _ in range(2)] == ["b", "b"]
    first.end()
    assert pinned.end() == "a"


def test_nobody_jumps_the_queue(
    make_pool: MakePool, need: Need, call: Call, turns: Callable[..., Turn], clock: Any
) -> None:
    """Also not for an account that has become usable while nobody looked."""
    pool = make_pool("a", "b")
    told(pool, need, call, Blame.EGRESS)
    turns(pool, need)
    first = turns(pool, need)
    assert first.got is None
    clock.now += 601
    second = turns(pool, need)
    first.served()
    assert (first.got, second.got) == ("a", None)


def test_a_full_queue(make_pool: MakePool, need: Need, turns: Callable[..., Turn]) -> None:
    pool = make_pool("a", queue_length=1)
    turns(pool, need), turns(pool, need)
    assert refusal(pool, need) == (Overloaded, 5)


def test_a_queue_of_no_length(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", queue_length=0)
    with pool.lease(need, call):
        assert refusal(pool, need) == (Overloaded, 5)
    assert taken(pool, need, call) == "a"


def test_waiting_too_long(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a", queue_seconds=0.05)
    with pool.lease(need, call):
        assert refusal(pool, need) == (Overloaded, 5)
        assert not pool._waiters
    assert taken(pool, need, call) == "a"


def test_nobody_waits_beyond_his_deadline(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a")
    began = time.monotonic()
    with pool.lease(need, call), pytest.raises(Overloaded):
        taken(pool, need, Call(time.monotonic() + 0.05))
    assert time.monotonic() - began < 0.5


def test_a_call_that_is_over_gets_nothing(make_pool: MakePool, need: Need, call: Call) -> None:
    call.cancel(ClientGone("The caller hung up."))
    with pytest.raises(ClientGone):
        taken(make_pool("a"), need, call)


def test_a_cancelled_waiter_leaves_the_queue(
    make_pool: MakePool, need: Need, turns: Callable[..., Turn]
) -> None:
    pool = make_pool("a")
    holder, leaver, stayer = (turns(pool, need) for _ in range(3))
    gone = ClientGone("The caller hung up.")
    leaver.call.cancel(gone)
    assert leaver.end() is gone
    holder.end()
    assert stayer.end() == "a"


def test_a_waiter_cancelled_as_it_is_served_leaks_no_slot(
    make_pool: MakePool, need: Need, call: Call
) -> None:
    pool = make_pool("a")
    for _ in range(100):
        leaving = Call(math.inf)
        with pool.lease(need, call):
            turn = Turn(pool, need, leaving)
            settled(lambda: bool(pool._waiters))
            canceller = threading.Thread(target=leaving.cancel, args=[ClientGone("Gone.")])
            canceller.start()
        canceller.join()
        turn.end()
        assert [entry.running for entry in pool._entries] == [0]
        assert not pool._waiters


class GoneWhenServed(Call):
    """Is cancelled after its slot was handed over, and before it could be used."""

    def __init__(self) -> None:
        super().__init__(math.inf)
        self._checked = False

    def check(self) -> None:
        if self._checked:
            self.cancel(ClientGone("The caller hung up."))
        self._checked = True
        super().check()


def test_a_slot_handed_to_a_cancelled_waiter_goes_to_the_next(
    make_pool: MakePool, need: Need, turns: Callable[..., Turn]
) -> None:
    pool = make_pool("a")
    holder, leaver, stayer = (
        turns(pool, need),
        turns(pool, need, GoneWhenServed()),
        turns(pool, need),
    )
    holder.end()
    assert isinstance(leaver.end(), ClientGone)
    assert stayer.end() == "a"


@pytest.mark.parametrize(
    ("blame", "error"), [(Blame.LIMITED, PoolExhausted), (Blame.NEEDS_LOGIN, NoAccountAvailable)]
)
def test_waiters_are_woken_when_waiting_has_lost_its_sense(
    make_pool: MakePool,
    need: Need,
    call: Call,
    turns: Callable[..., Turn],
    blame: Blame,
    error: type[Chat2ApiError],
) -> None:
    pool = make_pool("a")
    with pool.lease(need, call) as lease:
        queue = [turns(pool, need) for _ in range(3)]
        other = turns(pool, replace(need, model="gpt-4o"))
        pool.report(lease, Outcome(blame, need.model, 60.0, per_model=blame is Blame.LIMITED))
        for turn in queue:
            turn.join(1)
            assert type(turn.got) is error
        assert other.got is None or blame is Blame.NEEDS_LOGIN


def test_many_turns_at_once_keep_the_bounds(make_pool: MakePool, need: Need) -> None:
    pool = make_pool("a", "b", "c", concurrency=2)
    most: dict[str, int] = {}
    running: dict[str, int] = {}
    lock = threading.Lock()

    def turn() -> None:
        for _ in range(20):
            with pool.lease(need, Call(math.inf)) as lease:
                name = lease.account.account_id
                with lock:
                    running[name] = running.get(name, 0) + 1
                    most[name] = max(most.get(name, 0), running[name])
                time.sleep(0.0005)
                with lock:
                    running[name] -= 1

    threads = [threading.Thread(target=turn) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == {"a": 2, "b": 2, "c": 2}
    assert ([entry.running for entry in pool._entries], list(pool._waiters)) == ([0, 0, 0], [])


def test_a_turn_that_fails_gives_its_slot_back(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), pool.lease(need, call):
            raise ZeroDivisionError
    assert taken(pool, need, call) == "a"


# --- the file


def write(path: Path, *names: str) -> None:
    path.write_text("".join(f"fk-{name}\n" for name in names))


@pytest.fixture
def from_file(make_pool: MakePool, tmp_path: Path) -> tuple[MemoryPool, Path]:
    path = tmp_path / "token.txt"
    write(path, "a", "b")
    return make_pool(load=lambda: read_accounts(path, "chatgpt"), watch=path), path


def tokens(pool: MemoryPool, need: Need, call: Call, times: int) -> list[str]:
    found = []
    for _ in range(times):
        with pool.lease(need, call) as lease:
            secret = lease.account.credential.access_token
            assert secret is not None
            found.append(secret.reveal())
    return found


def test_new_lines_are_picked_up_and_standings_kept(
    from_file: tuple[MemoryPool, Path], need: Need, call: Call, clock: Any
) -> None:
    pool, path = from_file
    told(pool, need, call, Blame.NEEDS_LOGIN)
    write(path, "a", "b", "c")
    clock.now += 1.9
    assert tokens(pool, need, call, 2) == ["fk-b", "fk-b"]
    clock.now += 0.2
    assert sorted(tokens(pool, need, call, 2)) == ["fk-b", "fk-c"]
    assert sorted(standing.needs_login for standing in pool.standings().values()) == [
        False,
        False,
        True,
    ]


def test_an_account_taken_off_the_file_serves_no_more(
    from_file: tuple[MemoryPool, Path], need: Need, call: Call, clock: Any
) -> None:
    pool, path = from_file
    with pool.lease(need, call) as lease:
        write(path, "b")
        clock.now += 3
        assert tokens(pool, need, call, 2) == ["fk-b", "fk-b"]
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, "m"))  # of an account that is no more
    path.unlink()
    clock.now += 3
    assert pool.is_empty()


def test_waiters_get_an_account_that_was_added(
    from_file: tuple[MemoryPool, Path],
    need: Need,
    turns: Callable[..., Turn],
    clock: Any,
) -> None:
    pool, path = from_file
    turns(pool, need), turns(pool, need)
    waiting = turns(pool, need)
    write(path, "a", "b", "c")
    clock.now += 3
    assert not pool.is_empty()  # somebody looks
    settled(lambda: isinstance(waiting.got, str))


def test_a_file_that_cannot_be_read_changes_nothing(
    make_pool: MakePool,
    need: Need,
    call: Call,
    clock: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "token.txt"
    write(path, "a")
    broken: list[OSError] = []

    def load() -> list[Account]:
        for error in broken:
            raise error
        return read_accounts(path, "chatgpt")

    pool = make_pool(load=load, watch=path)
    broken.append(PermissionError(13, "Permission denied"))
    write(path, "a", "b")
    clock.now += 3
    with caplog.at_level(logging.WARNING):
        assert tokens(pool, need, call, 2) == ["fk-a", "fk-a"]
    assert caplog.messages == [
        "the accounts cannot be read, keeping those of before: Permission denied"
    ]
    broken.clear()
    clock.now += 3
    assert len(set(tokens(pool, need, call, 2))) == 2


def test_leases_are_values(make_pool: MakePool, need: Need, call: Call) -> None:
    with make_pool("a").lease(need, call) as lease:
        assert lease == Lease(lease.lease_id, lease.account)
