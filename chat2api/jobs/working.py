"""Working on jobs that people started: one job at a time per process, a few of its items at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from chat2api.errors import Chat2ApiError
from chat2api.jobs.renewing import Pace
from chat2api.lifetime.call import Call
from chat2api.service.job_kinds import ItemDone, JobHandler
from chat2api.store.jobs import JobBook, JobItem, JobView

log = logging.getLogger(__name__)

ITEM_SECONDS = 120.0
_RENEW_SECONDS = 5.0
_UNKNOWN = "this version of the server does not know this kind of work"


class Working:
    """`is_over` is asked before each item, as whether this process is about to end: then it gives the job
    back, and another goes on with it. `pace` holds for every kind."""

    def __init__(
        self,
        book: JobBook,
        handlers: Mapping[str, JobHandler],
        pace: Pace,
        is_over: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._book = book
        self._handlers = handlers
        self._pace = pace
        self._is_over = is_over
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_at = 0.0

    def run(self) -> JobView | None:
        """Take a job, if one waits, and work on it until its end; the job as it was taken.

        Raises StorageUnavailable: then the lease runs out, and somebody takes it up again.
        """
        if self._is_over():
            return None
        job = self._book.claim()
        if job is None:
            return None
        handler = self._handlers.get(job.kind)
        if handler is None:
            log.error("a job of an unknown kind", extra={"job": job.job_id, "kind": job.kind})
            self._book.finish(job.job_id, _UNKNOWN, failed=True)
            return job
        if self._all_worked(job, handler):
            self._end(job)
        return job

    def _end(self, job: JobView) -> None:
        if self._is_over():
            self._book.give_back(job.job_id)
        elif self._book.finish(job.job_id):
            log.info("a job ended", extra={"job": job.job_id, "kind": job.kind})

    # --- items, in threads

    def _all_worked(self, job: JobView, handler: JobHandler) -> bool:
        """Whether every thread came to its end in order."""
        troubles: list[Exception] = []

        def work() -> None:
            try:
                self._work(job, handler)
            except Exception as error:  # noqa: BLE001 - told by the thread that waits for this one
                troubles.append(error)

        names = range(max(1, min(self._pace.parallel, job.total - job.done)))
        threads = [
            threading.Thread(target=work, name=f"job-{number}", daemon=True) for number in names
        ]
        for thread in threads:
            thread.start()
        self._wait_for(threads, job)
        for trouble in troubles:
            log.warning("a job stopped: %s", type(trouble).__name__, extra={"job": job.job_id})
        return not troubles

    def _wait_for(self, threads: list[threading.Thread], job: JobView) -> None:
        """And keep the lease: one item may take longer than that lasts."""
        renew_at = self._clock() + _RENEW_SECONDS
        for thread in threads:
            while thread.is_alive():
                thread.join(max(0.0, min(_RENEW_SECONDS, renew_at - self._clock())) or 0.01)
                if self._clock() >= renew_at:
                    renew_at = self._clock() + _RENEW_SECONDS
                    self._renew(job)

    def _renew(self, job: JobView) -> None:
        try:
            self._book.renew(job.job_id)
        except Chat2ApiError as error:
            log.debug("a job's lease could not be renewed: %s", error.code)

    def _work(self, job: JobView, handler: JobHandler) -> None:
        while not self._is_over():
            item = self._book.take_item(job.job_id)
            if item is None:
                return
            self._wait_for_turn()
            done = _tried(handler, item)
            self._book.finish_item(job.job_id, item.position, done.state, done.detail)

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = self._clock()
            turn = max(self._next_at, now)
            self._next_at = turn + 1 / self._pace.per_second
        if turn > now:
            self._sleep(turn - now)


def _tried(handler: JobHandler, item: JobItem) -> ItemDone:
    call = Call(time.monotonic() + ITEM_SECONDS)
    try:
        return handler(item.target, call)
    except Chat2ApiError as error:
        return ItemDone("failed", f"{error.code}: {error.message}")
    except Exception:  # the boundary of one item: the others are worked on all the same
        log.exception("an item of a job failed unexpectedly")
        return ItemDone("failed", "an unexpected error; the log tells more")
