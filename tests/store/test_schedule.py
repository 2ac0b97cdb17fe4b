"""One row a job: whoever wins it runs it (C15, C17)."""

from __future__ import annotations

import threading

from chat2api.store import tables
from chat2api.store.opening import Store
from chat2api.store.schedule import LEASE_SECONDS, Schedule

from .handed import DAY, NOW, Clock, rows


def daily(last: float) -> float:
    return last + DAY


def test_the_first_sight_of_a_job_counts_as_a_run(store: Store, now: Clock) -> None:
    one = Schedule(store, "one")
    assert one.begin("renew", daily) is False
    assert one.last_run("renew") == NOW
    now.at += DAY - 0.1
    assert one.begin("renew", daily) is False
    now.at += 0.1
    assert one.begin("renew", daily) is True
    assert one.jobs() == {"renew": (NOW, 0)}


def test_one_of_many_runs_it(store: Store, now: Clock) -> None:
    owners = [Schedule(store, name) for name in ("one", "two", "three")]
    owners[0].begin("renew", daily)
    now.at += DAY
    won: list[bool] = []
    threads = [
        threading.Thread(target=lambda it=it: won.append(it.begin("renew", daily))) for it in owners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(won) == [False, False, True]


def test_a_leader_that_dies_hands_over_in_a_minute(store: Store, now: Clock) -> None:
    one, two = Schedule(store, "one"), Schedule(store, "two")
    one.begin("renew", daily)
    now.at += DAY
    assert (one.begin("renew", daily), two.begin("renew", daily)) == (True, False)
    now.at += LEASE_SECONDS
    assert two.begin("renew", daily) is True
    one.finish("renew")  # it comes back too late to say so
    assert rows(store, tables.schedule)[0]["runs"] == 0
    two.finish("renew")
    assert two.jobs() == {"renew": (now.at, 1)}


def test_missed_runs_are_made_up_for_once(store: Store, now: Clock) -> None:
    one = Schedule(store, "one")
    one.begin("renew", daily)
    now.at += 10 * DAY
    assert one.begin("renew", daily) is True
    one.finish("renew")
    assert one.begin("renew", daily) is False
    assert one.last_run("other") is None
