"""The pool over the database: shared, remembered over restarts, and going on without it (E01 to E06)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection

from chat2api.errors import (
    Blame,
    NoAccountAvailable,
    Overloaded,
    PoolExhausted,
    StorageUnavailable,
)
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Need, Outcome
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

from .handed import NEED, NOW, Clock, Place, account_row, by_refresh, handed, rows

Outage = Callable[[bool], None]


def make(store: Store, clock: Clock, worker: str = "w", **options: Any) -> SqlPool:
    limits = PoolLimits(options.get("concurrency", 1), queue_seconds=0.05)
    given = PickOptions(**({"concurrency": 1, "at_random": False} | options))
    return SqlPool(store, Workers(store, worker), given, limits, clock=clock)


def call() -> Call:
    return Call(float("inf"))


def turn(pool: AccountPool, outcome: Outcome | None = None, need: Need = NEED) -> str:
    with pool.lease(need, call()) as lease:
        pool.report(lease, outcome or Outcome(None, need.model))
        return lease.account.account_id


@pytest.fixture
def ids(intake: Intake) -> list[str]:
    return [one.account_id for one in intake.add([handed("a"), handed("b")], "test")]


@pytest.fixture
def pool(store: Store, now: Clock, ids: list[str]) -> SqlPool:
    return make(store, now)


@pytest.fixture
def outage(store: Store, monkeypatch: pytest.MonkeyPatch) -> Outage:
    """`outage(True)` takes the database away."""
    database = store.database

    def away(*_: object, **__: object) -> None:
        raise StorageUnavailable("away", retry_after=5)

    def switch(is_away: bool) -> None:
        monkeypatch.undo()
        if is_away:
            monkeypatch.setattr(database, "read", away)
            monkeypatch.setattr(database, "write", away)

    return switch


# --- shared and remembered


def test_slots_are_shared_by_all_processes(place: Place, now: Clock) -> None:
    stores = [place.open(now), place.open(now)]
    Intake(stores[0]).add([handed("a")], "test")
    one, two = (make(store, now, f"w{n}") for n, store in enumerate(stores))
    with one.lease(NEED, call()):
        with pytest.raises(Overloaded), two.lease(NEED, call()):
            pass
    assert turn(two) == turn(one)
    for store in stores:
        store.close()


def test_limits_survive_a_restart(place: Place, now: Clock) -> None:
    """A09."""
    store = place.open(now)
    Intake(store).add([handed("a")], "test")
    limit = Outcome(Blame.LIMITED, NEED.model, 120.0, per_model=True, reason="rate_limit_exceeded")
    turn(make(store, now), limit)
    store.close()
    again = place.open(now)
    pool = make(again, now)
    with pytest.raises(PoolExhausted) as caught:
        turn(pool)
    assert caught.value.retry_after == 120.0
    turn(pool, need=replace(NEED, model="gpt-4o"))
    now.at += 120
    turn(pool)
    again.close()


def test_all_limited_asks_nobody(store: Store, pool: SqlPool, now: Clock) -> None:
    """A11: and not even everybody's rows each time."""
    for _ in range(2):
        turn(pool, Outcome(Blame.LIMITED, NEED.model, 60.0))
    picks: list[float] = []
    pick = pool._picker.pick
    pool._picker.pick = lambda *given: picks.append(1) or pick(*given)  # type: ignore[method-assign]
    for _ in range(5):
        with pytest.raises(PoolExhausted) as caught:
            turn(pool)
        assert caught.value.retry_after == 60.0
    assert len(picks) == 1


def test_one_paused_while_others_wait_serves_no_more(
    store: Store, pool: SqlPool, ids: list[str], turns: Callable[..., Any]
) -> None:
    """A27."""
    pool.adopt(PickOptions(concurrency=1, at_random=False), PoolLimits(1, queue_seconds=5.0))
    running = [turns(pool, NEED) for _ in ids]
    waiting = turns(pool, NEED)
    AccountBook(store).pause(ids[:1])
    running[0].end()
    assert waiting.got is None
    running[1].end()
    waiting.served()
    assert waiting.got == ids[1]


def test_one_removed_in_use_ends_its_turn(
    store: Store, pool: SqlPool, ids: list[str], now: Clock
) -> None:
    """C21, also where it is forgotten for good meanwhile."""
    book = AccountBook(store)
    with pool.lease(NEED, call()) as lease:
        book.remove([lease.account.account_id])
        assert turn(pool) != lease.account.account_id
        now.at += 2 * 86_400
        book.purge()
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, NEED.model))
    assert [row["running"] for row in rows(store, tables.accounts)] == [0]
    assert rows(store, tables.leases) == []


def test_a_success_forgives(store: Store, pool: SqlPool, ids: list[str]) -> None:
    turn(pool, Outcome(Blame.TRANSIENT, NEED.model, reason="r"), replace(NEED, only=ids[0]))
    assert account_row(store, ids[0])["resting_until"] == NOW + 30
    turn(pool, None, replace(NEED, only=ids[0]))
    row = account_row(store, ids[0])
    assert (row["resting_until"], row["reason"], row["reason_at"]) == (0.0, "", None)


def test_who_serves_again_is_told_of_once(store: Store, now: Clock, ids: list[str]) -> None:
    back: list[str] = []
    workers = Workers(store, "w")
    pool = SqlPool(store, workers, PickOptions(), PoolLimits(), now, recovered=back.append)
    need = replace(NEED, only=ids[0])
    turn(pool, need=need)
    assert back == []
    turn(pool, Outcome(Blame.EGRESS, NEED.model, reason="upstream_challenge_required"), need)
    now.at += 3600
    pool.tick()
    turn(pool, Outcome(Blame.NONE, NEED.model), need)  # says nothing about the account
    assert back == []
    with pool.lease(need, call()) as one, pool.lease(need, call()) as other:
        for lease in (one, other):
            pool.report(lease, Outcome(None, NEED.model))
    turn(pool, need=need)
    assert back == [ids[0]]


def test_who_is_limited_for_one_model_is_not_back(store: Store, now: Clock, ids: list[str]) -> None:
    back: list[str] = []
    workers = Workers(store, "w")
    pool = SqlPool(store, workers, PickOptions(), PoolLimits(), now, recovered=back.append)
    limit = Outcome(Blame.LIMITED, "other", 60.0, per_model=True, reason="rate_limit_exceeded")
    turn(pool, limit, replace(NEED, only=ids[0], model="other"))
    turn(pool, need=replace(NEED, only=ids[0]))
    assert back == []


def test_a_report_that_comes_late(store: Store, pool: SqlPool, ids: list[str]) -> None:
    with pool.lease(NEED, call()) as lease:
        pass
    pool.report(lease, Outcome(None, NEED.model))
    pool.report(lease, Outcome(Blame.NEEDS_LOGIN, NEED.model, reason="r"))
    assert account_row(store, lease.account.account_id)["needs_login"] is True


def test_other_options_from_now_on(store: Store, pool: SqlPool) -> None:
    pool.adopt(PickOptions(concurrency=2, at_random=False), PoolLimits(2))
    leases = [pool._take(NEED, call()) for _ in range(4)]
    assert None not in leases
    for lease in leases:
        assert lease is not None
        pool._give_back(lease)
    assert [row["running"] for row in rows(store, tables.accounts)] == [0, 0]


def test_glances_and_emptiness(store: Store, now: Clock, intake: Intake) -> None:
    pool = make(store, now)
    assert (pool.is_empty(), pool.glance(NEED)) == (True, None)
    (added,) = intake.add([handed("a")], "test")
    glanced = pool.glance(NEED)
    assert glanced is not None
    assert (pool.is_empty(), glanced.account_id) == (False, added.account_id)


# --- without the database


def test_turns_go_on_with_the_accounts_seen_last(
    store: Store, pool: SqlPool, ids: list[str], outage: Outage, now: Clock, intake: Intake
) -> None:
    """E01, E02, E04: and what they taught is written once it answers again."""
    intake.add([by_refresh()], "test")  # of no use without a token
    pool.tick()
    outage(True)
    assert {turn(pool) for _ in range(4)} == set(ids)
    assert pool.is_degraded
    assert pool.glance(NEED) is not None
    assert (pool.is_empty(), pool.refusal(NEED)) == (False, None)
    limit = Outcome(Blame.LIMITED, NEED.model, 60.0, reason="rate_limit_exceeded")
    need = replace(NEED, only=ids[0])
    turn(pool, limit, need)
    with pytest.raises(PoolExhausted):
        turn(pool, need=need)
    pool.tick()
    assert pool.is_degraded
    outage(False)
    now.at += 20  # as long as it was away
    pool.tick()
    assert not pool.is_degraded
    row = account_row(store, ids[0])
    assert (row["cooling_until"], row["running"]) == (NOW + 60, 0)
    assert turn(pool) == ids[1]


def test_a_turn_that_began_with_the_database_may_end_without_it(
    store: Store, pool: SqlPool, outage: Outage, now: Clock
) -> None:
    with pool.lease(NEED, call()) as lease:
        outage(True)
        pool.report(lease, Outcome(Blame.NEEDS_LOGIN, NEED.model, reason="r"))
    account = lease.account.account_id
    outage(False)
    assert account_row(store, account)["running"] == 1
    now.at += 3
    pool.tick()
    row = account_row(store, account)
    assert (row["running"], row["needs_login"], row["selectable"]) == (0, True, False)


def test_while_it_is_known_to_be_away_it_is_not_asked(
    pool: SqlPool, outage: Outage, store: Store, now: Clock
) -> None:
    pool.tick()
    with pool.lease(NEED, call()):
        outage(True)
        turn(pool)
        asked: list[int] = []
        store.database.write = lambda *_, **__: asked.append(1)  # type: ignore[method-assign, assignment]
        turn(pool)
    assert asked == []


def test_without_accounts_seen_it_is_the_store_that_is_missing(
    pool: SqlPool, outage: Outage
) -> None:
    """Not "no account", which would be wrong."""
    outage(True)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            turn(pool)


def test_a_damaged_account_is_not_fallen_back_on(
    sqlite_store: Store, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [one.account_id for one in Intake(sqlite_store).add([handed("a"), handed("b")], "test")]
    sqlite_store.database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE accounts SET proxy = 'x' WHERE account_id = ?", (ids[0],)
        )
    )
    pool = make(sqlite_store, now)
    pool.tick()
    assert list(pool._standby.standings()) == [ids[1]]


def test_what_cannot_be_written_is_bounded_and_no_slot_is_lost_by_it(
    store: Store, pool: SqlPool, now: Clock
) -> None:
    """A lease whose end was never written would keep its slot for as long as the process lives."""
    lease = pool._take(NEED, call())  # taken, and then the answer was lost
    assert lease is not None
    account = lease.account.account_id
    pool.adopt(PickOptions(concurrency=3, at_random=False), PoolLimits(3))
    with pool.lease(replace(NEED, only=account), call()):
        now.at += 59
        pool.tick()
        assert account_row(store, account)["running"] == 2
        now.at += 2
        pool.tick()
        assert account_row(store, account)["running"] == 1
    assert account_row(store, account)["running"] == 0
    assert pool._unwritten.maxlen == 10_000


def test_what_the_database_never_takes_does_not_keep_the_rest_back(
    store: Store, pool: SqlPool, ids: list[str], outage: Outage, now: Clock
) -> None:
    def refused(_: Connection) -> None:
        raise StorageUnavailable("not this")

    pool._unwritten.append(refused)
    outage(False)
    with pool.lease(replace(NEED, only=ids[0]), call()):
        pool._note_down()
    now.at += 3
    for _ in range(2):
        pool.tick()
    assert account_row(store, ids[0])["running"] == 0
    assert list(pool._unwritten) == [refused]


def test_outcomes_of_another_worker_count_here(place: Place, now: Clock) -> None:
    stores = [place.open(now), place.open(now)]
    Intake(stores[0]).add([handed("a")], "test")
    one, two = (make(store, now, f"w{n}") for n, store in enumerate(stores))
    turn(one, Outcome(Blame.NEEDS_LOGIN, NEED.model))
    with pytest.raises(NoAccountAvailable):
        turn(two)
    for store in stores:
        store.close()


def test_a_locked_file_stalls_nobody(sqlite_place: Place, now: Clock) -> None:
    """E01: another process writes for seconds; this one pauses cooperatively, then goes on without."""
    pauses: list[float] = []
    store = sqlite_place.open(now, sleep=pauses.append)
    ids = [one.account_id for one in Intake(store).add([handed("a")], "test")]
    pool = make(store, now)
    pool.tick()
    other = sqlite_place.open(now)

    def hold(connection: Connection) -> None:
        assert turn(pool) == ids[0]
        assert pool.is_degraded

    other.database.write(hold)
    assert max(pauses) <= 0.025
    now.at += 3
    pool.tick()
    assert not pool.is_degraded
    for opened in (store, other):
        opened.close()


def test_it_stays_degraded_until_something_is_written(
    store: Store, pool: SqlPool, monkeypatch: pytest.MonkeyPatch, now: Clock
) -> None:
    """A database that answers and takes nothing (full, or locked) is not well, whoever asks when."""
    pool.tick()
    assert not pool.is_degraded

    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("full")

    monkeypatch.setattr(store.database, "write", full)
    turn(pool)
    for _ in range(5):
        now.at += 3
        pool.tick()
        assert pool.is_degraded
    monkeypatch.undo()
    now.at += 3
    assert pool.is_degraded
    pool.tick()
    assert not pool.is_degraded


def test_a_turn_that_is_written_shows_that_it_is_well(
    store: Store, pool: SqlPool, now: Clock
) -> None:
    pool.tick(is_away=True)
    assert pool.is_degraded
    now.at += 3
    turn(pool)
    assert not pool.is_degraded
