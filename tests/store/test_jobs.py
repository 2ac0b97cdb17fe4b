"""Jobs: numbers that add up, one worker at a time, and what a dead one leaves."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.errors import Conflict, NotFound
from chat2api.store import desk_tables, jobs
from chat2api.store.jobs import LEASE_SECONDS, JobBook, JobItem, JobView
from chat2api.store.opening import Store

from .handed import DAY, NOW, Clock, rows

ITEMS = [(f"acc_{number}", f"account {number}") for number in range(5)]


@pytest.fixture
def book(store: Store) -> JobBook:
    return JobBook(store, "one")


@pytest.fixture
def other(store: Store) -> JobBook:
    return JobBook(store, "two")


def found(book: JobBook, job_id: str) -> JobView:
    view = book.get(job_id)
    assert view is not None
    return view


def step(book: JobBook, job_id: str, state: Any = "done", detail: str = "") -> None:
    item = book.take_item(job_id)
    assert item is not None
    assert book.finish_item(job_id, item.position, state, detail)


def test_a_job_from_its_beginning_to_its_end(book: JobBook, now: Clock) -> None:
    job_id = book.create("renew", "session ab", ITEMS[:3], {"forced": True})
    assert book.running() == [
        JobView(
            job_id, "renew", "session ab", "waiting", 3, 0, 0, 0, 0, NOW, None, None, False, "",
            {"forced": True},
        )
    ]  # fmt: skip
    now.at += 2
    assert book.claim() == found(book, job_id)
    assert (found(book, job_id).state, found(book, job_id).started_at) == ("running", NOW + 2)
    for state in ("done", "failed", "skipped"):
        step(book, job_id, state, f"it was {state}")
    assert book.take_item(job_id) is None
    now.at += 2
    assert book.finish(job_id)
    view = found(book, job_id)
    assert (view.state, view.done, view.ok, view.failed, view.skipped) == ("done", 3, 1, 1, 1)
    assert (view.ended_at, view.is_over) == (NOW + 4, True)
    assert book.items(job_id) == [
        JobItem(0, "acc_0", "account 0", "done", "it was done"),
        JobItem(1, "acc_1", "account 1", "failed", "it was failed"),
        JobItem(2, "acc_2", "account 2", "skipped", "it was skipped"),
    ]
    assert (book.running(), book.claim()) == ([], None)


def test_items_page_by_page_and_by_state(book: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS)
    book.claim()
    step(book, job_id, "failed")
    step(book, job_id)
    step(book, job_id, "failed")
    assert [item.position for item in book.items(job_id, after=1, most=2)] == [2, 3]
    assert [item.position for item in book.items(job_id, "failed")] == [0, 2]
    assert [item.position for item in book.items(job_id, "failed", after=0)] == [2]


def test_the_newest_jobs_come_first(book: JobBook, now: Clock) -> None:
    ids = []
    for _ in range(3):
        ids.append(book.create("renew", "", []))
        now.at += 1
    assert [view.job_id for view in book.recent(2)] == [ids[2], ids[1]]
    assert [view.job_id for view in book.running()] == ids
    assert book.get("job_of_nobody") is None


def test_one_worker_has_a_job(book: JobBook, other: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS)
    assert book.claim() is not None
    assert other.claim() is None
    assert other.take_item(job_id) is None
    assert not other.renew(job_id)
    assert not other.finish(job_id)
    other.give_back(job_id)
    assert book.renew(job_id)


def test_a_dead_workers_job_is_taken_over_with_what_was_left(
    book: JobBook, other: JobBook, now: Clock
) -> None:
    job_id = book.create("renew", "", ITEMS)
    book.claim()
    step(book, job_id)
    begun = book.take_item(job_id)
    assert begun is not None
    now.at += LEASE_SECONDS - 1
    assert other.claim() is None
    now.at += 1
    taken = other.claim()
    assert taken is not None
    assert (taken.started_at, taken.ok) == (NOW, 1)
    # The one that was only asleep changes nothing any more.
    assert not book.finish_item(job_id, begun.position, "done")
    assert book.take_item(job_id) is None
    again = other.take_item(job_id)
    assert again == begun
    assert other.finish_item(job_id, begun.position, "done")
    assert not other.finish_item(job_id, begun.position, "done")
    assert found(other, job_id).ok == 2


def test_a_job_given_back_goes_on_at_once(book: JobBook, other: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS[:1])
    book.claim()
    book.take_item(job_id)
    book.give_back(job_id)
    assert other.claim() is not None
    step(other, job_id)
    other.finish(job_id)
    assert found(book, job_id).state == "done"


def test_cancelling_before_anybody_began(book: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS)
    assert book.cancel(job_id)
    assert not book.cancel(job_id)
    assert found(book, job_id).state == "cancelled"
    assert book.claim() is None
    assert not book.cancel("job_of_nobody")


def test_cancelling_keeps_what_is_done_and_lets_what_is_under_way_end(book: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS)
    book.claim()
    step(book, job_id)
    under_way = book.take_item(job_id)
    assert under_way is not None
    assert book.cancel(job_id)
    assert (found(book, job_id).state, found(book, job_id).cancelled) == ("running", True)
    assert book.take_item(job_id) is None
    assert book.renew(job_id)  # what is under way may take its time
    assert book.finish_item(job_id, under_way.position, "failed", "refused")
    assert book.finish(job_id)
    view = found(book, job_id)
    assert (view.state, view.ok, view.failed, view.total) == ("cancelled", 1, 1, 5)
    assert [item.state for item in book.items(job_id)].count("waiting") == 3


def test_cancelled_after_the_last_item_it_is_done(book: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS[:1])
    book.claim()
    step(book, job_id)
    book.cancel(job_id)
    book.finish(job_id)
    assert found(book, job_id).state == "done"


def test_a_cancelled_job_of_a_dead_worker_can_be_ended(
    book: JobBook, other: JobBook, now: Clock
) -> None:
    job_id = book.create("renew", "", ITEMS)
    book.claim()
    book.cancel(job_id)
    now.at += LEASE_SECONDS
    taken = other.claim()
    assert taken is not None
    assert taken.cancelled
    assert other.take_item(job_id) is None
    other.finish(job_id)
    assert found(book, job_id).state == "cancelled"


def test_a_result_that_was_lost_counts_as_failed(book: JobBook) -> None:
    job_id = book.create("renew", "", ITEMS[:2])
    book.claim()
    book.take_item(job_id)
    step(book, job_id)
    book.finish(job_id, "sk-planted-secret went wrong", failed=True)
    view = found(book, job_id)
    assert (view.state, view.ok, view.failed, view.message) == ("failed", 1, 1, "*** went wrong")


def test_what_failed_can_be_tried_again_once(book: JobBook) -> None:
    job_id = book.create("renew", "session a", ITEMS, {"forced": True})
    book.claim()
    with pytest.raises(Conflict):
        book.retry_failed(job_id, "session b")
    for state in ("done", "failed", "skipped", "failed", "done"):
        step(book, job_id, state)
    book.finish(job_id)
    again = book.retry_failed(job_id, "session b")
    assert book.retry_failed(job_id, "session b") == again
    view = found(book, again)
    assert (view.kind, view.actor, view.total, view.state) == ("renew", "session b", 2, "waiting")
    assert view.arguments == {"forced": True}
    assert [(item.target, item.label) for item in book.items(again)] == [ITEMS[1], ITEMS[3]]
    assert found(book, job_id).arguments["retried_as"] == again


def test_trying_again_needs_something_that_failed(book: JobBook) -> None:
    with pytest.raises(NotFound):
        book.retry_failed("job_of_nobody", "")
    job_id = book.create("renew", "", [])
    book.claim()
    book.finish(job_id)
    with pytest.raises(Conflict):
        book.retry_failed(job_id, "")


def test_old_jobs_are_forgotten_with_their_items(book: JobBook, store: Store, now: Clock) -> None:
    old, under_way = (book.create("renew", "", ITEMS[:2]) for _ in range(2))
    book.claim()
    book.cancel(old)
    book.finish(old)
    now.at += 30 * DAY
    assert book.prune(30) == 0
    now.at += 1
    assert (book.prune(30), book.prune(30)) == (1, 0)
    assert [view.job_id for view in book.recent()] == [under_way]
    assert len(rows(store, desk_tables.job_items)) == 2


def test_items_are_forgotten_a_few_at_a_time(
    store: Store, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand in one transaction would keep every other writer, and the whole worker, waiting."""
    monkeypatch.setattr(jobs, "_ITEMS_AT_ONCE", 2)
    left: list[int] = []
    book = JobBook(
        store, "one", lambda seconds: left.append(len(rows(store, desk_tables.job_items)))
    )
    book.cancel(book.create("renew", "", ITEMS))
    now.at += 31 * DAY
    assert book.prune(30) == 1
    assert left == [3, 1, 0]
    assert rows(store, desk_tables.jobs) == []


def test_no_secret_is_stored(book: JobBook, store: Store) -> None:
    job_id = book.create("renew", "", [("acc_1", "sk-planted-1")])
    book.claim()
    step(book, job_id, "failed", "Bearer planted-2 was refused " + "x" * 1000)
    (row,) = rows(store, desk_tables.job_items)
    assert "planted" not in repr(row)
    assert len(row["detail"]) == 500


@pytest.mark.parametrize("damaged", ["", "{", "[1]", "null"])
def test_damaged_arguments_are_left_out(book: JobBook, store: Store, damaged: str) -> None:
    job_id = book.create("renew", "", [], {"a": 1})
    change = update(desk_tables.jobs).values(arguments=damaged)
    store.database.write(lambda connection: connection.execute(change))
    assert found(book, job_id).arguments == {}


def test_many_threads_and_workers_do_each_item_once(store: Store, place: Any, now: Clock) -> None:
    stores = [place.open(now) for _ in range(2)]
    books = [JobBook(each, f"worker {number}") for number, each in enumerate(stores)]
    items = [(str(number), "") for number in range(40)]
    job_id = books[0].create("renew", "", items)
    claimed: list[JobBook] = []
    done: Counter[str] = Counter()

    def claim(book: JobBook) -> None:
        if book.claim() is not None:
            claimed.append(book)

    def work(book: JobBook) -> None:
        while item := book.take_item(job_id):
            done[item.target] += 1
            book.finish_item(job_id, item.position, "done")

    _together([threading.Thread(target=claim, args=(book,)) for book in books])
    (owner,) = claimed
    _together([threading.Thread(target=work, args=(owner,)) for _ in range(4)])
    owner.finish(job_id)
    assert done == Counter(target for target, _ in items)
    assert (found(owner, job_id).ok, found(owner, job_id).state) == (40, "done")
    for each in stores:
        each.close()


def _together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_whether_somebody_works_on_it(book: JobBook, now: Clock) -> None:
    """Half a lease without a sign is enough to say so."""
    job_id = book.create("renew", "", ITEMS)
    assert not found(book, job_id).is_held
    book.claim()
    assert found(book, job_id).is_held
    now.at += LEASE_SECONDS / 2
    assert not found(book, job_id).is_held
    assert book.renew(job_id)
    assert found(book, job_id).is_held
    book.give_back(job_id)
    assert not found(book, job_id).is_held
