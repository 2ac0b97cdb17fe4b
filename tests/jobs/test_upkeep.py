"""Signs of life, leftovers, old rows; and a database that is away."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.jobs.upkeep import ClockJumps, clean, show_life, store_kept_tokens
from chat2api.lifetime.call import Call
from chat2api.pool.values import Need, NewAccount
from chat2api.secret import Secret
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import LIFE_SECONDS, Workers

NEED = Need("chatgpt", "auto")


def process(store: Store) -> tuple[Workers, SqlPool]:
    workers = Workers(store)
    workers.renew()
    return workers, SqlPool(store, workers, PickOptions(concurrency=1), PoolLimits())


def test_what_dead_processes_held_is_freed(
    key_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    Intake(key_store).add([NewAccount(access_token=Secret("fk-one-token"))], "test")
    _, dead = process(key_store)
    workers, pool = process(key_store)
    call = Call(float("inf"))
    held = dead.lease(NEED, call)
    held.__enter__()
    key_store.clock.at += LIFE_SECONDS / 2  # type: ignore[attr-defined]
    show_life(workers, pool)
    key_store.clock.at += LIFE_SECONDS / 2 + 1  # type: ignore[attr-defined]
    show_life(workers, pool)
    assert caplog.messages == ["freed what dead processes held"]
    with pool.lease(NEED, call) as lease:
        assert lease.account.credential.access_token == Secret("fk-one-token")
    held.__exit__(None, None, None)  # it lived after all: nothing is freed twice
    with pool.lease(NEED, call):
        assert pool.refusal(NEED) is None


def test_without_a_database_life_goes_on(key_store: Store, outage: Any) -> None:
    workers, pool = process(key_store)
    outage.is_away = True
    show_life(workers, pool)
    assert pool.is_degraded


def test_a_database_that_takes_nothing_is_noticed_without_turns(
    key_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, pool = process(key_store)
    show_life(workers, pool)
    assert not pool.is_degraded

    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(key_store.database, "write", full)
        show_life(workers, pool)
        assert pool.is_degraded
    show_life(workers, pool)
    assert not pool.is_degraded


@pytest.mark.parametrize(("done", "told"), [(0, []), (2, ["kept tokens are in the database now"])])
def test_kept_tokens(done: int, told: list[str], caplog: pytest.LogCaptureFixture) -> None:
    class Kept:
        def store_escrow(self) -> int:
            return done

    renewals: Any = Kept()
    with caplog.at_level(logging.INFO):
        store_kept_tokens(renewals)
    assert caplog.messages == told


def test_a_sweep_that_fails_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def away() -> int:
        raise StorageUnavailable("busy")

    with caplog.at_level(logging.INFO):
        assert clean({"a": lambda: 3, "b": away, "c": lambda: 0}) == {"a": 3, "c": 0}
        assert clean({"c": lambda: 0}) == {"c": 0}
    assert caplog.messages == ["old rows removed"]


def test_jumps_of_the_clock_are_told_once_and_not_without_end() -> None:
    """C16: told by the job, not by whoever met one."""
    jumps, noted = ClockJumps(), list[tuple[str, Any]]()
    jumps.saw(3600.2)
    assert noted == []
    jumps.tell(lambda action, facts: noted.append((action, facts)))
    jumps.tell(lambda action, facts: noted.append((action, facts)))
    assert noted == [("clock_jumped", {"seconds": 3600})]
    for _ in range(1000):
        jumps.saw(400.0)
    noted.clear()
    jumps.tell(lambda action, facts: noted.append((action, facts)))
    assert len(noted) == 10
