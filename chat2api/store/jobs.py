"""Jobs: work on many things that a person starts, watches and may stop; one row a thing.

Which process works on a job is decided as everywhere: by a conditional UPDATE and a lease. When a process
dies, another takes its jobs over, with what was left.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from chat2api.errors import Conflict, NotFound
from chat2api.logs import redact
from chat2api.store.desk_tables import job_items, jobs
from chat2api.store.opening import Store

JobState = Literal["waiting", "running", "done", "cancelled", "failed"]
ItemState = Literal["waiting", "running", "done", "failed", "skipped"]

LEASE_SECONDS = 30.0
_LONGEST_TEXT = 500
_LONGEST_NAME = 200
_MOST_SHOWN = 500
_MOST_DELETED = 20
_ITEMS_AT_ONCE = 1_000
_BREATH_SECONDS = 0.02
_DAY = 86_400.0
_UNDER_WAY = ("waiting", "running")
_COUNTED = {"done": "ok", "failed": "failed", "skipped": "skipped"}
_RETRIED = "retried_as"

_j, _i = jobs.c, job_items.c


@dataclass(frozen=True, slots=True)
class JobItem:
    """One thing of a job. `target` is an id, `label` what people know it by, `detail` how it went."""

    position: int
    target: str
    label: str
    state: ItemState
    detail: str = ""


@dataclass(frozen=True, slots=True)
class JobView:
    """`done` = `ok` + `failed` + `skipped`, never more than `total`. Times are epoch seconds.

    `cancelled`: somebody asked for it; the state follows once what is under way has ended. `is_held`:
    somebody works on it; who does renews the lease several times before it is half over.
    """

    job_id: str
    kind: str
    actor: str
    state: JobState
    total: int
    done: int
    ok: int
    failed: int
    skipped: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    cancelled: bool
    message: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    is_held: bool = False

    @property
    def is_over(self) -> bool:
        return self.state not in _UNDER_WAY


class JobBook:
    """`worker_id` names this process in leases. Every method raises StorageUnavailable."""

    def __init__(
        self, store: Store, worker_id: str, breathe: Callable[[float], None] = time.sleep
    ) -> None:
        self._store = store
        self._worker_id = worker_id
        self._breathe = breathe

    # --- for people

    def create(
        self,
        kind: str,
        actor: str,
        items: Sequence[tuple[str, str]],
        arguments: Mapping[str, Any] | None = None,
    ) -> str:
        """A job over `items`, (target, label) each, that any worker begins soon; its id.

        `arguments` hold no secrets: they are stored as they are.
        """
        return self._store.database.write(
            lambda connection: self._insert(connection, kind, actor, items, arguments or {})
        )

    def get(self, job_id: str) -> JobView | None:
        query = select(jobs).where(_j.job_id == job_id)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else self._view(row)

    def recent(self, most: int = 50) -> list[JobView]:
        """The newest first."""
        query = select(jobs).order_by(_j.created_at.desc(), _j.job_id).limit(most)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [self._view(row) for row in rows]

    def running(self) -> list[JobView]:
        """Those under way or about to begin, the oldest first."""
        query = select(jobs).where(_j.state.in_(_UNDER_WAY)).order_by(_j.created_at, _j.job_id)
        query = query.limit(_MOST_SHOWN)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [self._view(row) for row in rows]

    def items(
        self, job_id: str, state: ItemState | None = None, after: int = -1, most: int = 200
    ) -> list[JobItem]:
        """In the order of the job, those past position `after`."""
        query = select(job_items).where(_i.job_id == job_id, _i.position > after)
        if state is not None:
            query = query.where(_i.state == state)
        query = query.order_by(_i.position).limit(most)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [_item_of(row) for row in rows]

    def cancel(self, job_id: str) -> bool:
        """Begin no item of it any more. Whether there was anything to stop."""
        now = self._store.now()
        this = _j.job_id == job_id
        at_once = (
            update(jobs)
            .where(
                this, or_(_j.state == "waiting", and_(_j.state == "running", _j.owner.is_(None)))
            )
            .values(state="cancelled", cancelled=True, ended_at=now, owner=None)
        )
        soon = update(jobs).where(this, _j.state == "running", _j.cancelled.is_(False))
        soon = soon.values(cancelled=True)
        return self._store.database.write(
            lambda c: c.execute(at_once).rowcount + c.execute(soon).rowcount > 0
        )

    def retry_failed(self, job_id: str, actor: str) -> str:
        """A new job over what failed; its id. Asked twice, the same one.

        Raises NotFound, and Conflict where the job is not over or nothing failed.
        """

        def work(connection: Connection) -> str:
            row = connection.execute(_locked(job_id)).first()
            if row is None:
                raise NotFound("There is no such job.")
            view = self._view(row)
            if known := view.arguments.get(_RETRIED):
                return str(known)
            query = select(_i.target, _i.label).where(_i.job_id == job_id, _i.state == "failed")
            found = connection.execute(query.order_by(_i.position)).all()
            if not view.is_over or not found:
                raise Conflict("There is nothing of this job to try again.")
            items = [(item.target, item.label) for item in found]
            again = self._insert(connection, view.kind, actor, items, view.arguments)
            told = json.dumps({**view.arguments, _RETRIED: again})
            connection.execute(update(jobs).where(_j.job_id == job_id).values(arguments=told))
            return again

        return self._store.database.write(work)

    def prune(self, days: float) -> int:
        """Forget some that ended longer ago; how many. Their items first, in small transactions."""
        ended = _j.ended_at < self._store.now() - days * _DAY
        old = select(_j.job_id, _j.total).where(ended).order_by(_j.ended_at).limit(_MOST_DELETED)
        found = self._store.database.read(lambda connection: connection.execute(old).all())
        for job_id, total in found:
            self._forget(job_id, total)
        return len(found)

    def _forget(self, job_id: str, total: int) -> None:
        """One that is over: nobody works on it any more."""
        for start in range(0, total, _ITEMS_AT_ONCE):
            some = delete(job_items).where(
                _i.job_id == job_id, _i.position < start + _ITEMS_AT_ONCE
            )
            self._store.database.write(lambda connection, some=some: connection.execute(some))  # type: ignore[misc]
            self._breathe(_BREATH_SECONDS)
        job = delete(jobs).where(_j.job_id == job_id)
        self._store.database.write(lambda connection: connection.execute(job))

    # --- for the process that works on them

    def claim(self) -> JobView | None:
        """The oldest job that nobody works on; this process's from now on, for LEASE_SECONDS.

        What a process that died had begun and not ended, is begun again.
        """
        free = or_(
            _j.state == "waiting",
            and_(_j.state == "running", _j.lease_until <= self._store.now()),
        )
        oldest = select(_j.job_id).where(free).order_by(_j.created_at, _j.job_id).limit(1)
        job_id = self._store.database.read(lambda connection: connection.execute(oldest).scalar())
        return None if job_id is None else self._store.database.write(self._taking(job_id, free))

    def _taking(self, job_id: str, free: ColumnElement[bool]) -> Any:
        now = self._store.now()
        mine = update(jobs).where(_j.job_id == job_id, free)
        mine = mine.values(
            state="running",
            owner=self._worker_id,
            lease_until=now + LEASE_SECONDS,
            started_at=func.coalesce(_j.started_at, now),
        )

        def work(connection: Connection) -> JobView | None:
            row = connection.execute(mine.returning(jobs)).first()
            if row is not None:
                connection.execute(_begun(job_id).values(state="waiting"))
            return None if row is None else self._view(row)

        return work

    def renew(self, job_id: str) -> bool:
        """Keep the job for LEASE_SECONDS more; whether it is still this process's, if cancelled or not."""
        return self._store.database.write(
            lambda connection: self._hold(connection, job_id, even_cancelled=True)
        )

    def take_item(self, job_id: str) -> JobItem | None:
        """The next item, begun. None: there is none, or the job is cancelled or somebody else's."""

        def work(connection: Connection) -> JobItem | None:
            if not self._hold(connection, job_id):
                return None
            first = select(func.min(_i.position)).where(_i.job_id == job_id, _i.state == "waiting")
            taken = update(job_items).where(
                _i.job_id == job_id, _i.position == first.scalar_subquery()
            )
            row = connection.execute(taken.values(state="running").returning(job_items)).first()
            return None if row is None else _item_of(row)

        return self._store.database.write(work)

    def finish_item(
        self,
        job_id: str,
        position: int,
        state: Literal["done", "failed", "skipped"],
        detail: str = "",
    ) -> bool:
        """How an item ended, counted once. False: it is not this process's any more."""
        ended = update(job_items).where(
            _i.job_id == job_id, _i.position == position, _i.state == "running"
        )
        ended = ended.values(state=state, detail=redact(detail)[:_LONGEST_TEXT])

        def work(connection: Connection) -> bool:
            if not self._hold(connection, job_id, even_cancelled=True):
                return False
            if connection.execute(ended).rowcount != 1:
                return False
            _count(connection, job_id, _COUNTED[state], 1)
            return True

        return self._store.database.write(work)

    def finish(self, job_id: str, message: str = "", *, failed: bool = False) -> bool:
        """The job is over: done, cancelled, or failed as a whole. Whether it was this process's to say.

        Items that were begun and never told how they ended count as failed.
        """

        def work(connection: Connection) -> bool:
            if not self._hold(connection, job_id, even_cancelled=True):
                return False
            lost = _begun(job_id).values(state="failed", detail="its result was not stored")
            _count(connection, job_id, "failed", connection.execute(lost).rowcount)
            row = connection.execute(select(jobs).where(_j.job_id == job_id)).one()
            left = row.total > row.ok + row.failed + row.skipped
            state = "failed" if failed else "cancelled" if row.cancelled and left else "done"
            over = update(jobs).where(_j.job_id == job_id)
            over = over.values(
                state=state,
                message=redact(message)[:_LONGEST_TEXT],
                ended_at=self._store.now(),
                owner=None,
            )
            connection.execute(over)
            return True

        return self._store.database.write(work)

    def give_back(self, job_id: str) -> None:
        """This process ends; another is to go on with what is left."""

        def work(connection: Connection) -> None:
            if self._hold(connection, job_id, even_cancelled=True):
                connection.execute(_begun(job_id).values(state="waiting"))
                free = update(jobs).where(_j.job_id == job_id)
                connection.execute(free.values(owner=None, lease_until=0.0))

        self._store.database.write(work)

    def _view(self, row: Row[Any]) -> JobView:
        return _view_of(row, self._store.now())

    def _hold(self, connection: Connection, job_id: str, *, even_cancelled: bool = False) -> bool:
        """Renew the lease; this locks the job's row, so that its items change one after the other."""
        mine = update(jobs).where(
            _j.job_id == job_id, _j.owner == self._worker_id, _j.state == "running"
        )
        if not even_cancelled:
            mine = mine.where(_j.cancelled.is_(False))
        until = self._store.now() + LEASE_SECONDS
        return connection.execute(mine.values(lease_until=until)).rowcount == 1

    def _insert(
        self,
        connection: Connection,
        kind: str,
        actor: str,
        items: Sequence[tuple[str, str]],
        arguments: Mapping[str, Any],
    ) -> str:
        job_id = f"job_{secrets.token_hex(8)}"
        row = {
            "job_id": job_id,
            "kind": kind[:_LONGEST_NAME],
            "actor": actor[:_LONGEST_NAME],
            "arguments": json.dumps(dict(arguments)),
            "total": len(items),
            "created_at": self._store.now(),
        }
        connection.execute(jobs.insert().values(row))
        rows = [
            {
                "job_id": job_id,
                "position": position,
                "target": target[:_LONGEST_NAME],
                "label": redact(label)[:_LONGEST_NAME],
            }
            for position, (target, label) in enumerate(items)
        ]
        if rows:
            connection.execute(job_items.insert(), rows)
        return job_id


def _begun(job_id: str) -> Any:
    return update(job_items).where(_i.job_id == job_id, _i.state == "running")


def _locked(job_id: str) -> Any:
    """SQLite leaves the lock out: its writers come one at a time."""
    return select(jobs).where(_j.job_id == job_id).with_for_update()


def _count(connection: Connection, job_id: str, column: str, number: int) -> None:
    if number:
        more = {column: jobs.c[column] + number}
        connection.execute(update(jobs).where(_j.job_id == job_id).values(more))


def _item_of(row: Row[Any]) -> JobItem:
    return JobItem(row.position, row.target, row.label, row.state, row.detail)


def _view_of(row: Row[Any], now: float) -> JobView:
    try:
        arguments = json.loads(row.arguments)
    except ValueError:
        arguments = {}
    return JobView(
        job_id=row.job_id,
        kind=row.kind,
        actor=row.actor,
        state=row.state,
        total=row.total,
        done=row.ok + row.failed + row.skipped,
        ok=row.ok,
        failed=row.failed,
        skipped=row.skipped,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancelled=bool(row.cancelled),
        message=row.message,
        arguments=arguments if isinstance(arguments, dict) else {},
        is_held=bool(row.owner) and (row.lease_until or 0.0) > now + LEASE_SECONDS / 2,
    )
