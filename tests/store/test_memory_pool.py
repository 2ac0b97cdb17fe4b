"""The pool in memory: no slot and no waiter is left behind, and accounts come and go."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import Blame, ClientGone, Overloaded
from chat2api.lifetime.call import Call
from chat2api.pool.policy import Standing
from chat2api.pool.values import Need, Outcome
from chat2api.store.memory_pool import MemoryPool, PoolLimits

from .conftest import account

MakePool = Callable[..., MemoryPool]
Turns = Callable[..., Any]


def taken(pool: MemoryPool, need: Need, call: Call) -> str:
    with pool.lease(need, call) as lease:
        return lease.account.account_id


def is_clean(pool: MemoryPool) -> bool:
    return not pool._waiters and not any(entry.running for entry in pool._entries)


def test_a_waiter_cancelled_as_it_is_served_leaks_nothing(
    memory_pool: MakePool, need: Need, call: Call, turns: Turns
) -> None:
    pool = memory_pool("a")
    for _ in range(100):
        leaving = Call(math.inf)
        with pool.lease(need, call):
            turn = turns(pool, need, leaving)
            canceller = threading.Thread(target=leaving.cancel, args=[ClientGone("Gone.")])
            canceller.start()
        canceller.join()
        turn.end()
        assert is_clean(pool)


def test_a_waiter_who_waited_too_long_leaves_nothing(
    memory_pool: MakePool, need: Need, call: Call
) -> None:
    pool = memory_pool("a", queue_seconds=0.02)
    with pool.lease(need, call), pytest.raises(Overloaded), pool.lease(need, call):
        pass
    assert is_clean(pool)


def test_a_waiter_who_was_killed_leaves_nothing(
    memory_pool: MakePool, need: Need, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is told to stop raises in whatever waits."""

    def killed(*_: object) -> bool:
        raise SystemExit

    pool = memory_pool("a")
    with pool.lease(need, call):
        monkeypatch.setattr(threading.Event, "wait", killed)
        with pytest.raises(SystemExit), pool.lease(need, call):
            pass
    assert is_clean(pool)


# --- its accounts


def test_new_accounts_are_taken_in_and_standings_kept(
    memory_pool: MakePool, need: Need, call: Call
) -> None:
    pool = memory_pool("a", "b")
    with pool.lease(need, call) as lease:
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, need.model))
    pool.replace(map(account, "abc"))
    assert [taken(pool, need, call) for _ in range(3)] == ["b", "c", "b"]
    assert {name: standing.needs_login for name, standing in pool.standings().items()} == {
        "a": True,
        "b": False,
        "c": False,
    }


def test_an_account_taken_away_serves_no_more(
    memory_pool: MakePool, need: Need, call: Call
) -> None:
    pool = memory_pool("a", "b")
    with pool.lease(need, call) as lease:
        pool.replace([account("b")])
        assert [taken(pool, need, call) for _ in range(2)] == ["b", "b"]
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, "m"))  # of an account that is no more
    assert pool.standings() == {"b": Standing()}
    pool.replace([])
    assert pool.is_empty()


def test_waiters_get_an_account_that_was_added(
    memory_pool: MakePool, need: Need, turns: Turns
) -> None:
    pool = memory_pool("a")
    turns(pool, need)
    waiting = turns(pool, need)
    pool.replace(map(account, "ab"))
    waiting.served()
    assert waiting.got == "b"


def test_a_glance_takes_no_slot(memory_pool: MakePool, need: Need, call: Call) -> None:
    pool = memory_pool("a")
    with pool.lease(need, call) as lease:
        assert pool.glance(need) == lease.account
        pool.report(lease, Outcome(Blame.LIMITED, need.model, 60.0, per_model=True))
        assert pool.glance(need) is None
        assert pool.glance(replace(need, model="gpt-4o")) == lease.account


def test_other_limits_count_from_now_on(memory_pool: MakePool, need: Need, call: Call) -> None:
    pool = memory_pool("a", concurrency=1, queue_length=0)
    with pool.lease(need, call):
        with pytest.raises(Overloaded), pool.lease(need, call):
            pass
        pool.adopt(PoolLimits(concurrency=2))
        assert taken(pool, need, call) == "a"
