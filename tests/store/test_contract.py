"""What every pool keeps: whose turn it is, who waits for whom, and what is said when nobody can be had."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
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
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Need, Outcome

MakePool = Callable[..., AccountPool]
Turns = Callable[..., Any]


def taken(pool: AccountPool, need: Need, call: Call) -> str:
    """The account a short turn gets."""
    with pool.lease(need, call) as lease:
        return lease.account.account_id


def refusal(pool: AccountPool, need: Need) -> tuple[type[Chat2ApiError], float | None]:
    with pytest.raises(PoolError) as caught, pool.lease(need, Call(math.inf)):
        pass
    return type(caught.value), caught.value.retry_after


def told(pool: AccountPool, need: Need, call: Call, blame: Blame | None, **more: Any) -> None:
    """A turn of `need` that ends so."""
    with pool.lease(need, call) as lease:
        pool.report(lease, Outcome(blame, need.model, **more))


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
    make_pool: MakePool, need: Need, turns: Turns
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
    make_pool: MakePool, need: Need, turns: Turns, call: Call
) -> None:
    pool = make_pool("a", "b")
    first = turns(pool, replace(need, only="a"))
    pinned = turns(pool, replace(need, only="a"))
    assert (first.got, pinned.got) == ("a", None)
    assert [taken(pool, need, call) for _ in range(2)] == ["b", "b"]
    first.end()
    assert pinned.end() == "a"


def test_nobody_jumps_the_queue(
    make_pool: MakePool, need: Need, call: Call, turns: Turns, clock: Any
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
    assert [turn.got for turn in (first, second)] == ["a", None]


def test_a_full_queue(make_pool: MakePool, need: Need, turns: Turns) -> None:
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


def test_a_cancelled_waiter_leaves_the_queue(make_pool: MakePool, need: Need, turns: Turns) -> None:
    pool = make_pool("a")
    holder, leaver, stayer = (turns(pool, need) for _ in range(3))
    gone = ClientGone("The caller hung up.")
    leaver.call.cancel(gone)
    assert leaver.end() is gone
    holder.end()
    assert stayer.end() == "a"


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
    make_pool: MakePool, need: Need, turns: Turns
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
    turns: Turns,
    blame: Blame,
    error: type[Chat2ApiError],
) -> None:
    pool = make_pool("a")
    with pool.lease(need, call) as lease:
        queue = [turns(pool, need) for _ in range(3)]
        other = turns(pool, replace(need, model="gpt-4o"))
        pool.report(lease, Outcome(blame, need.model, 60.0, per_model=blame is Blame.LIMITED))
    for turn in queue:
        turn.join(3)
        assert type(turn.got) is error
    other.served()
    assert other.got == "a" if blame is Blame.LIMITED else type(other.got) is error


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
    assert set(most) == {"a", "b", "c"}
    assert max(most.values()) <= 2


def test_a_turn_that_fails_gives_its_slot_back(make_pool: MakePool, need: Need, call: Call) -> None:
    pool = make_pool("a")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), pool.lease(need, call):
            raise ZeroDivisionError
    assert taken(pool, need, call) == "a"
