"""The timers of one process, on APScheduler. Each process has them all; what may run once only is decided
in the store (`store.schedule`, claims), not here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from chat2api.errors import Chat2ApiError

log = logging.getLogger(__name__)

_THREADS = 12  # a job of the operator may take one for many minutes
_JUMP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Timer:
    """Run `work` every `seconds`, the first time after `first_seconds`."""

    name: str
    seconds: float
    work: Callable[[], object]
    first_seconds: float = 0.0


class _SteadyScheduler(BackgroundScheduler):  # type: ignore[misc]
    """Goes on at its pace when somebody sets the system's clock (C16): set back by an hour, the timers would
    stand still for as long; set ahead by years, every run missed would be counted one by one.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._offset = _wall_offset()

    def _process_jobs(self) -> float | None:
        offset, before = _wall_offset(), self._offset
        if abs(offset - before) > _JUMP_SECONDS:
            self._offset = offset
            for job in self.get_jobs():
                job.modify(next_run_time=job.next_run_time + timedelta(seconds=offset - before))
        seconds: float | None = super()._process_jobs()
        return seconds


def _wall_offset() -> float:
    """How far the system's clock is ahead of the one that nobody sets."""
    return datetime.now(UTC).timestamp() - time.monotonic()


class Timers:
    """Started after the fork. A run that takes longer than its interval is not doubled."""

    def __init__(self, timers: Sequence[Timer]) -> None:
        self._scheduler = _SteadyScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            daemon=True,
        )
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        for timer in timers:
            self._scheduler.add_job(
                _guarded(timer),
                IntervalTrigger(seconds=timer.seconds, timezone=UTC),
                name=timer.name,
                next_run_time=datetime.now(UTC) + timedelta(seconds=timer.first_seconds),
            )

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        """No run begins any more; those under way are not waited for."""
        if self._scheduler.running:
            # A timer that is due just then finds its threads closed, and would say so with a trace.
            logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
            self._scheduler.shutdown(wait=False)


def _guarded(timer: Timer) -> Callable[[], None]:
    """A run that fails is logged, and the next one comes all the same."""

    def run() -> None:
        try:
            timer.work()
        except Chat2ApiError as error:
            log.warning("job %s: %s (%s)", timer.name, error.code, error.message)
        except Exception:  # the boundary of a job
            log.exception("job %s failed", timer.name)

    return run
