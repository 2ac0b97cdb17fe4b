"""Processes that hold leases, and what is left of the dead ones (D03, C04)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from chat2api.lifetime.call import Call
from chat2api.pool.values import Outcome, RenewalClaim
from chat2api.store import tables, workers
from chat2api.store.credentials import Busy, Credentials
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import LIFE_SECONDS, ProcessMark, Workers, own_mark

from .handed import NEED, NOW, Clock, account_row, credential_row, handed, refresh, rows

ELSEWHERE = ProcessMark("another host", 1, "1")


def pool(store: Store, worker: Workers, clock: Clock) -> SqlPool:
    return SqlPool(store, worker, PickOptions(), PoolLimits(), clock=clock)


def test_signs_of_life(store: Store, now: Clock) -> None:
    mark = ProcessMark("here", 7, "1")
    worker = Workers(store, "w", mark)
    worker.renew()
    now.at += 10
    worker.renew()
    assert rows(store, tables.workers) == [
        {
            "worker_id": "w", "place": "here", "pid": 7, "birth": "1", "started_at": NOW,
            "expires_at": NOW + 10 + LIFE_SECONDS,
        }
    ]  # fmt: skip
    worker.leave()
    assert rows(store, tables.workers) == []


def test_ids_differ(store: Store) -> None:
    assert Workers(store).worker_id != Workers(store).worker_id


def test_what_a_dead_process_held_is_free_again(store: Store, intake: Intake, now: Clock) -> None:
    (added,) = intake.add([handed("a", refresh_token=refresh())], "test")
    dead, alive = Workers(store, "dead", ELSEWHERE), Workers(store, "alive")
    for worker in (dead, alive):
        worker.renew()
    with pool(store, alive, now).lease(NEED, Call(float("inf"))):
        crashed = pool(store, dead, now)
        lease = crashed._take(NEED, Call(float("inf")))
        assert lease is not None
        credential = credential_row(store, added.account_id)["credential_id"]
        assert isinstance(Credentials(store, "dead").claim(credential, 1), RenewalClaim)
        now.at += LIFE_SECONDS - 1
        alive.renew()
        assert alive.clear_up() == 0
        now.at += 1
        assert [alive.clear_up(), alive.clear_up()] == [1, 0]
        assert account_row(store, added.account_id)["running"] == 1
        claim = Credentials(store, "alive").claim(credential, 1)
        assert isinstance(claim, RenewalClaim)
        assert claim.after_crash
        crashed._give_back(lease)  # it was only asleep: nothing is given back twice
        assert account_row(store, added.account_id)["running"] == 1
    assert account_row(store, added.account_id)["running"] == 0


def test_a_process_of_this_machine_that_is_gone_is_seen_at_once(store: Store, now: Clock) -> None:
    gone = ProcessMark(own_mark().place, 2**22 + 1, "1")
    again = ProcessMark(own_mark().place, os.getpid(), "not when it began")
    for name, mark in (("gone", gone), ("again", again), ("elsewhere", ELSEWHERE)):
        Workers(store, name, mark).renew()
    me = Workers(store, "me")
    me.renew()
    me.clear_up()
    assert [row["worker_id"] for row in rows(store, tables.workers)] == ["elsewhere", "me"]


@pytest.mark.parametrize(
    ("mark", "gone"),
    [
        (own_mark(), False),
        (ProcessMark(own_mark().place, os.getpid(), ""), True),
        (ELSEWHERE, False),
        (ProcessMark("", 2**22 + 1, "1"), False),
    ],
)
def test_only_who_can_tell_says_so(mark: ProcessMark, gone: bool) -> None:
    assert mark.is_gone is gone


def test_where_the_kernel_does_not_tell_nobody_is_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError

    mark = own_mark()
    monkeypatch.setattr(workers.os, "readlink", refuse)
    assert mark.is_gone is False
    assert own_mark().place == ""


def test_leaving_gives_everything_back(store: Store, intake: Intake, now: Clock) -> None:
    (added,) = intake.add([handed("a")], "test")
    worker = Workers(store, "w")
    worker.renew()
    mine = pool(store, worker, now)
    with mine.lease(NEED, Call(float("inf"))) as lease:
        worker.leave()
        assert account_row(store, added.account_id)["running"] == 0
        mine.report(lease, Outcome(None, NEED.model))
    assert account_row(store, added.account_id)["running"] == 0
    assert rows(store, tables.leases) == []


def test_leaving_keeps_the_claim_of_an_exchange_under_way(
    store: Store, intake: Intake, now: Clock
) -> None:
    """C01: a reload's new processes must not show the token that an old one has just sent."""
    (added,) = intake.add([handed("a", refresh_token=refresh())], "test")
    credential = credential_row(store, added.account_id)["credential_id"]
    worker = Workers(store, "w")
    worker.renew()
    claim = Credentials(store, "w").claim(credential, 1)
    assert isinstance(claim, RenewalClaim)
    worker.leave()
    Workers(store, "next").clear_up()
    assert Credentials(store, "next").claim(credential, 1) == Busy(claim.until)


def test_slots_are_given_back_once_however_many_clear_up(postgres_store: Store, now: Clock) -> None:
    """Two processes that see the same death at the same moment."""
    store = postgres_store
    (added,) = Intake(store).add([handed("a")], "test")
    dead, alive = Workers(store, "dead", ELSEWHERE), Workers(store, "alive")
    for worker in (dead, alive):
        worker.renew()
    crashed = pool(store, dead, now)
    assert crashed._take(NEED, Call(float("inf"))) is not None
    with pool(store, alive, now).lease(NEED, Call(float("inf"))):
        now.at += LIFE_SECONDS - 1
        alive.renew()
        now.at += 1
        second = threading.Thread(target=Workers(store, "second").clear_up)
        with store.database.engine.connect() as connection, connection.begin():
            assert workers._free_the_dead(connection, "dead") == 1
            second.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while store.database.read(lambda c: c.exec_driver_sql(waiting).scalar()) == 0:
                assert second.is_alive()
        second.join(10)
        assert account_row(store, added.account_id)["running"] == 1


def test_machines_of_one_name_are_two_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Their first pid namespaces have the same number, and neither knows the other's processes."""
    other = tmp_path / "boot_id"
    other.write_text("another machine\n")
    monkeypatch.setattr(workers, "_BOOT", other)
    theirs = ProcessMark(own_mark().place, 2**22 + 1, "1")
    monkeypatch.undo()
    assert theirs.is_gone is False
