"""Which process runs a job: one row a job, won by a conditional UPDATE, over all workers and machines."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, or_, select, update

from chat2api.store import tables
from chat2api.store.engine import insert_new
from chat2api.store.opening import Store

LEASE_SECONDS = 60.0
_s = tables.schedule.c


FORCED_REFRESH = "forced_refresh"
"""The job that renews every token, whether due or not."""


class Schedule:
    """`next_run(last_run)` of a job is the caller's; the rows only remember and decide who."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner

    def begin(self, job: str, next_run: Callable[[float], float]) -> bool:
        """Whether this process is to run the job now. A run missed while nobody ran is made up for once.

        The first time a job is seen counts as a run: a new deployment is not behind with anything.
        """
        now = self._store.now()
        last = self._last_run(job, now)
        if next_run(last) > now:
            return False
        won = (
            update(tables.schedule)
            .where(_s.job == job, _s.last_run_at == last, _s.lease_until <= now)
            .values(owner=self._owner, lease_until=now + LEASE_SECONDS)
        )
        return self._store.database.write(lambda c: c.execute(won).rowcount == 1)

    def finish(self, job: str) -> None:
        """The run is done; one that never says so is made again when its lease is over."""
        now = self._store.now()
        done = update(tables.schedule).where(_s.job == job, _s.owner == self._owner)
        done = done.values(last_run_at=now, lease_until=0.0, runs=_s.runs + 1)
        self._store.database.write(lambda connection: connection.execute(done))

    def last_run(self, job: str) -> float | None:
        query = select(_s.last_run_at).where(_s.job == job)
        found: float | None = self._store.database.read(lambda c: c.execute(query).scalar())
        return found

    def _last_run(self, job: str, now: float) -> float:
        last = self.last_run(job)
        if last is not None:
            return last

        def work(connection: Connection) -> None:
            insert_new(connection, tables.schedule, {"job": job, "last_run_at": now})
            empty = update(tables.schedule).where(_s.job == job, _s.last_run_at.is_(None))
            connection.execute(empty.values(last_run_at=now))

        self._store.database.write(work)
        return self.last_run(job) or now

    def jobs(self) -> dict[str, tuple[float | None, int]]:
        """For people: job -> (last run, number of runs)."""
        query = select(_s.job, _s.last_run_at, _s.runs).where(or_(_s.runs > 0, _s.job != ""))
        rows = self._store.database.read(lambda c: c.execute(query).all())
        return {row.job: (row.last_run_at, row.runs) for row in rows}
