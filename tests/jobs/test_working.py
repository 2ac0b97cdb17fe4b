"""Working on jobs: a few items at once, stopping in between, and what is left to others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable, UpstreamRateLimited
from chat2api.jobs.renewing import Pace
from chat2api.jobs.working import Working
from chat2api.lifetime.call import Call
from chat2api.service.job_kinds import ItemDone
from chat2api.store.jobs import LEASE_SECONDS, JobBook, JobView

FAST = Pace(parallel=2, per_second=10_000.0)
ITEMS = [(f"acc_{number}", f"account {number}") for number in range(6)]


class Handler:
    """Does what `answers` say of a target; `meanwhile` runs in each."""

    def __init__(self) -> None:
        self.answers: dict[str, ItemDone | Exception] = {}
        self.seen: list[str] = []
        self.running = self.most = 0
        self.meanwhile: Any = lambda target: None
        self._lock = threading.Lock()

    def __call__(self, target: str, call: Call) -> ItemDone:
        assert call.remaining() > 0
        with self._lock:
            self.seen.append(target)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.meanwhile(target)
            answer = self.answers.get(target, ItemDone("done"))
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            with self._lock:
                self.running -= 1


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def book(key_store: Any) -> JobBook:
    return JobBook(key_store, "one")


def job(book: JobBook, job_id: str) -> JobView:
    view = book.get(job_id)
    assert view is not None
    return view


def working(book: JobBook, handler: Handler, pace: Pace = FAST, **given: Any) -> Working:
    return Working(book, {"renew": handler}, pace, **given)


def test_a_job_is_worked_through(book: JobBook, handler: Handler) -> None:
    job_id = book.create("renew", "session a", ITEMS)
    handler.answers = {
        "acc_1": ItemDone("skipped", "it has no refresh token"),
        "acc_2": ItemDone("failed", "refused"),
    }
    taken = working(book, handler).run()
    assert taken is not None
    assert taken.job_id == job_id
    view = job(book, job_id)
    assert (view.state, view.total, view.ok, view.failed, view.skipped) == ("done", 6, 4, 1, 1)
    assert sorted(handler.seen) == [target for target, _ in ITEMS]
    assert [item.detail for item in book.items(job_id, "failed")] == ["refused"]
    assert working(book, handler).run() is None


def test_an_empty_job_is_done_at_once(book: JobBook, handler: Handler) -> None:
    job_id = book.create("renew", "", [])
    working(book, handler).run()
    assert job(book, job_id).state == "done"


def test_errors_of_an_item_are_its_own(book: JobBook, handler: Handler) -> None:
    job_id = book.create("renew", "", ITEMS[:3])
    handler.answers = {
        "acc_0": UpstreamRateLimited("Slow down."),
        "acc_1": ZeroDivisionError("sk-planted-secret"),
    }
    working(book, handler).run()
    details = [item.detail for item in book.items(job_id)]
    assert "Slow down." in details[0]
    assert details[1] == "an unexpected error; the log tells more"
    assert (job(book, job_id).ok, job(book, job_id).failed) == (1, 2)


def test_a_few_at_once_and_no_more(book: JobBook, handler: Handler) -> None:
    together = threading.Barrier(3)
    handler.meanwhile = lambda target: together.wait(10)
    book.create("renew", "", ITEMS)
    working(book, handler, Pace(3, 10_000.0)).run()
    assert handler.most == 3


def test_the_pace(book: JobBook, handler: Handler) -> None:
    slept: list[float] = []
    now = [100.0]

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        now[0] += seconds

    book.create("renew", "", ITEMS[:4])
    pace = Pace(1, per_second=4.0)
    working(book, handler, pace, clock=lambda: now[0], sleep=sleep).run()
    assert slept == [0.25, 0.25, 0.25]


def test_cancelling_stops_after_what_is_under_way(book: JobBook, handler: Handler) -> None:
    job_id = book.create("renew", "", ITEMS)
    handler.meanwhile = lambda target: book.cancel(job_id) if target == "acc_2" else None
    working(book, handler, Pace(1, 10_000.0)).run()
    view = job(book, job_id)
    assert (view.state, view.ok, view.done) == ("cancelled", 3, 3)
    assert len(book.items(job_id, "waiting")) == 3


def test_a_process_that_ends_gives_its_job_back(
    book: JobBook, handler: Handler, key_store: Any
) -> None:
    job_id = book.create("renew", "", ITEMS)
    ending = threading.Event()
    handler.meanwhile = lambda target: ending.set() if target == "acc_1" else None
    leaving = working(book, handler, Pace(1, 10_000.0), is_over=ending.is_set)
    leaving.run()
    assert (job(book, job_id).state, job(book, job_id).done) == ("running", 2)
    assert leaving.run() is None
    other = JobBook(key_store, "two")
    working(other, handler).run()
    assert (job(book, job_id).state, job(book, job_id).ok) == ("done", 6)
    assert len(handler.seen) == len(set(handler.seen)) == 6


def test_a_dead_processs_job_is_gone_on_with(
    book: JobBook, handler: Handler, key_store: Any
) -> None:
    """The numbers add up over a restart."""
    job_id = book.create("renew", "", ITEMS)
    book.claim()
    done = book.take_item(job_id)
    assert done is not None
    book.finish_item(job_id, done.position, "done")
    book.take_item(job_id)  # and then it was killed
    other = working(JobBook(key_store, "two"), handler)
    assert other.run() is None
    key_store.clock.at += LEASE_SECONDS
    other.run()
    view = job(book, job_id)
    assert (view.state, view.ok, view.total) == ("done", 6, 6)
    assert sorted(handler.seen) == [target for target, _ in ITEMS[1:]]


def test_while_the_database_is_away_a_job_waits(
    book: JobBook, handler: Handler, outage: Any, key_store: Any
) -> None:
    job_id = book.create("renew", "", ITEMS)

    def leave(target: str) -> None:
        outage.is_away = target == "acc_1"

    handler.meanwhile = leave
    lost = working(book, handler, Pace(1, 10_000.0))
    lost.run()
    with pytest.raises(StorageUnavailable):
        lost.run()
    outage.is_away = False
    assert job(book, job_id).state == "running"
    handler.meanwhile = lambda target: None
    key_store.clock.at += LEASE_SECONDS
    lost.run()
    view = job(book, job_id)
    assert (view.state, view.ok) == ("done", 6)


def test_the_lease_is_kept_while_an_item_takes_long(
    book: JobBook, handler: Handler, key_store: Any
) -> None:
    now = [100.0]
    job_id = book.create("renew", "", ITEMS[:1])
    renewed = threading.Event()
    renew = book.renew

    def noted(job_id: str) -> bool:
        kept = renew(job_id)
        renewed.set()
        return kept

    book.renew = noted  # type: ignore[method-assign]

    def take_long(target: str) -> None:
        key_store.clock.at += LEASE_SECONDS
        now[0] += LEASE_SECONDS
        assert renewed.wait(10)
        assert JobBook(key_store, "two").claim() is None

    handler.meanwhile = take_long
    working(book, handler, clock=lambda: now[0]).run()
    assert (job(book, job_id).state, job(book, job_id).ok) == ("done", 1)


def test_unknown_work_is_refused(book: JobBook, handler: Handler) -> None:
    job_id = book.create("dance", "", ITEMS)
    working(book, handler).run()
    view = job(book, job_id)
    assert (view.state, view.done) == ("failed", 0)
    assert "does not know" in view.message
    assert handler.seen == []
