"""All tokens every four days at three in the morning: when, and by whom (C15, C17)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat2api.jobs.forced import JOB, next_run, run_forced
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.credentials import Credentials
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.store.schedule import LEASE_SECONDS, Schedule

UTC = ZoneInfo("UTC")
DAY = 86_400.0
ZONES = [
    "UTC",
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
]


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("last", "zone", "following"),
    [
        ("2026-03-05T03:00:07", "UTC", "2026-03-09T03:00"),
        ("2026-01-29T03:00", "UTC", "2026-02-02T03:00"),  # a month of 31 days
        ("2026-02-26T03:00", "UTC", "2026-03-02T03:00"),
        ("2028-02-26T03:00", "UTC", "2028-03-01T03:00"),  # a leap year
        ("2026-12-30T03:00", "UTC", "2027-01-03T03:00"),
        ("2026-03-27T03:00", "Europe/Berlin", "2026-03-31T03:00"),  # clocks go forward
        ("2026-03-25T03:00", "Europe/Berlin", "2026-03-29T03:00"),  # on the very day
        ("2026-10-23T03:00", "Europe/Berlin", "2026-10-27T03:00"),  # and back
        ("2026-10-21T03:00", "Europe/Berlin", "2026-10-25T03:00"),
        ("2026-03-05T14:30", "Asia/Shanghai", "2026-03-10T03:00"),  # begun by hand, by day
        ("2026-03-05T01:00", "UTC", "2026-03-09T03:00"),
    ],
)
def test_the_next_run(last: str, zone: str, following: str) -> None:
    assert next_run(at(last, zone), ZoneInfo(zone)) == at(following, zone)


@given(
    st.floats(at("2020-01-01T00:00"), at("2040-01-01T00:00")),
    st.sampled_from(ZONES),
)
@example(at("2026-03-25T04:59:59", "Europe/Berlin"), "Europe/Berlin")
def test_always_at_three_and_four_days_apart(last: float, name: str) -> None:
    zone = ZoneInfo(name)
    run = next_run(last, zone)
    assert datetime.fromtimestamp(run, zone).strftime("%H:%M:%S") == "03:00:00"
    assert 3.87 * DAY < run - last < 5 * DAY
    assert 3.87 * DAY < next_run(run, zone) - run < 4.1 * DAY  # no drift from one to the next


def test_an_hour_that_is_skipped_is_run_after_it() -> None:
    helsinki = ZoneInfo("Europe/Helsinki")  # 03:00 becomes 04:00 on 29 March
    run = next_run(at("2026-03-25T03:00", "Europe/Helsinki"), helsinki)
    assert datetime.fromtimestamp(run, helsinki).strftime("%d %H:%M") == "29 04:00"


def test_without_a_zone_the_systems_clock_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        last = at("2026-03-05T03:00", "Asia/Shanghai")
        assert next_run(last, None) == last + 4 * DAY
    finally:
        monkeypatch.undo()
        time.tzset()


# --- who runs it


def turn(store: Store, schedule: Schedule) -> int | None:
    credentials = Credentials(store, "worker")
    return run_forced(schedule, credentials, zone=UTC, window=600.0, per_second=2.0)


@pytest.fixture
def stocked(key_store: Store) -> Store:
    tokens = [NewAccount(refresh_token=Secret(f"rt_{number:0>24}")) for number in range(3)]
    Intake(key_store).add([*tokens, NewAccount(access_token=Secret("fk-plain-token"))], "test")
    for credentials in [Credentials(key_store, "setup")]:
        credentials.make_all_due(10_000_000.0, 1.0)  # far away
    return key_store


def test_the_first_look_is_no_run(stocked: Store) -> None:
    schedule = Schedule(stocked, "one")
    assert turn(stocked, schedule) is None
    assert schedule.jobs() == {JOB: (stocked.now(), 0)}


def test_a_run_makes_everything_due_once(stocked: Store) -> None:
    one, other = Schedule(stocked, "one"), Schedule(stocked, "other")
    clock = stocked.clock
    turn(stocked, one)
    due = next_run(stocked.now(), UTC)
    clock.at = due - 1  # type: ignore[attr-defined]
    assert [turn(stocked, one), turn(stocked, other)] == [None, None]
    clock.at = due  # type: ignore[attr-defined]
    assert [turn(stocked, one), turn(stocked, other), turn(stocked, one)] == [3, None, None]
    assert one.jobs() == {JOB: (due, 1)}
    credentials = Credentials(stocked, "worker")
    assert len(credentials.due(10)) == 1  # the others later, spread over the window
    clock.at = due + 600  # type: ignore[attr-defined]
    assert len(credentials.due(10)) == 3
    assert turn(stocked, other) is None


def test_a_missed_run_is_made_up_for_once(stocked: Store) -> None:
    schedule = Schedule(stocked, "one")
    turn(stocked, schedule)
    stocked.clock.at += 30 * DAY  # type: ignore[attr-defined]
    woken = stocked.now()
    assert [turn(stocked, schedule) for _ in range(3)] == [3, None, None]
    assert schedule.last_run(JOB) == woken
    stocked.clock.at = next_run(woken, UTC)  # type: ignore[attr-defined]
    assert turn(stocked, schedule) == 3


def test_processes_that_start_together(stocked: Store) -> None:
    """C15: one of them runs it."""
    turn(stocked, Schedule(stocked, "first"))
    stocked.clock.at += 6 * DAY  # type: ignore[attr-defined]
    together = Barrier(8)

    def start(number: int) -> int | None:
        schedule = Schedule(stocked, f"worker-{number}")
        together.wait(10)
        return turn(stocked, schedule)

    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(start, range(8)))
    assert sorted(counts, key=str) == [3] + [None] * 7


def test_a_leader_that_dies_is_followed_within_a_minute(stocked: Store) -> None:
    turn(stocked, Schedule(stocked, "first"))
    stocked.clock.at += 6 * DAY  # type: ignore[attr-defined]
    dead, heir = Schedule(stocked, "dead"), Schedule(stocked, "heir")
    assert dead.begin(JOB, lambda last: next_run(last, UTC))
    assert turn(stocked, heir) is None
    stocked.clock.at += LEASE_SECONDS  # type: ignore[attr-defined]
    assert turn(stocked, heir) == 3


def test_many_accounts_take_longer_than_the_window(key_store: Store) -> None:
    """C14: not more at once than may be begun a second."""
    many = [NewAccount(refresh_token=Secret(f"rt_{number:0>24}")) for number in range(50)]
    Intake(key_store).add(many, "test")
    credentials = Credentials(key_store, "worker")
    assert credentials.make_all_due(10.0, 1.0) == 50
    key_store.clock.at += 10  # type: ignore[attr-defined]
    assert len(credentials.due(100)) == 11
