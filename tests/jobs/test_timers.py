"""Timers of a process: each runs, whatever the others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo

import apscheduler.schedulers.base
import pytest

from chat2api.errors import StorageUnavailable
from chat2api.jobs import timers as timers_module
from chat2api.jobs.timers import Timer, Timers

Start = Callable[..., Timers]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Timers] = []

    def begin(*timers: Timer) -> Timers:
        started.append(Timers(timers))
        started[-1].start()
        return started[-1]

    yield begin
    for one in started:
        one.stop()


class Work:
    """Sets `done` at its `most`th run; raises `error` in each."""

    def __init__(self, most: int = 2, error: Exception | None = None) -> None:
        self.runs = 0
        self.done = threading.Event()
        self._most = most
        self._error = error

    def __call__(self) -> None:
        self.runs += 1
        if self.runs >= self._most:
            self.done.set()
        if self._error is not None:
            raise self._error


def test_a_failing_job_stops_neither_itself_nor_the_others(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    expected = Work(error=StorageUnavailable("The database is busy."))
    unforeseen = Work(error=ZeroDivisionError("boom"))
    good = Work()
    works = {"expected": expected, "unforeseen": unforeseen, "good": good}
    start(*(Timer(name, 0.02, work) for name, work in works.items()))
    for work in works.values():
        assert work.done.wait(10)
    assert "job expected: storage_unavailable (The database is busy.)" in caplog.messages
    assert "job unforeseen failed" in caplog.messages


def test_a_job_that_hangs_is_not_doubled_and_holds_nobody_up(start: Start) -> None:
    go_on, began = threading.Event(), []
    other = Work(most=5)

    def hang() -> None:
        began.append(1)
        assert go_on.wait(10)

    start(Timer("hangs", 0.01, hang), Timer("other", 0.01, other))
    assert other.done.wait(10)
    assert began == [1]
    go_on.set()


@pytest.mark.parametrize("hours", [-1.0, 1.0, 10 * 365 * 24.0])
def test_they_go_on_when_the_clock_is_set(
    start: Start, monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """C16"""
    ahead = timedelta()

    class Wall(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    for module in (timers_module, apscheduler.schedulers.base):
        monkeypatch.setattr(module, "datetime", Wall)
    work = Work()
    start(Timer("one", 0.02, work))
    assert work.done.wait(10)
    ahead = timedelta(hours=hours)
    for _ in range(3):
        work.done.clear()
        assert work.done.wait(10)


def test_the_first_run_may_come_later(start: Start) -> None:
    late, soon = Work(most=1), Work(most=3)
    start(Timer("late", 0.01, late, first_seconds=3600.0), Timer("soon", 0.01, soon))
    assert soon.done.wait(10)
    assert late.runs == 0


def test_stopping_begins_nothing_more_and_may_be_done_twice(start: Start) -> None:
    work = Work(most=1)
    timers = start(Timer("one", 0.01, work))
    assert work.done.wait(10)
    timers.stop()
    timers.stop()
    assert not timers._scheduler.running


def test_what_was_never_started_can_be_stopped() -> None:
    Timers([Timer("one", 1.0, lambda: None)]).stop()
