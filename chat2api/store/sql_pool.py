"""The account pool over the database, shared by all workers and machines.

Where the database does not answer, turns go on with the accounts seen last, counted in this process only
(fault matrix E01 to E06); what they taught is written down once it answers again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, select

from chat2api.errors import PoolError, StorageUnavailable
from chat2api.lifetime.call import Call
from chat2api.pool.refreshing import is_usable
from chat2api.pool.values import Account, Credential, Lease, Need, Outcome
from chat2api.store import tables
from chat2api.store.account_rows import FOR_A_TURN, account_of
from chat2api.store.memory_pool import MemoryPool, PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import Picker, PickOptions, stands_back
from chat2api.store.refusing import refusal
from chat2api.store.settling import settle as settle_outcome
from chat2api.store.vault import WrongKey
from chat2api.store.waiting import WaitingLine
from chat2api.store.workers import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")

_WAKE_SECONDS = 0.25
_REFUSAL_SECONDS = 1.0
_PATIENCE_SECONDS = 1.5
_DOWN_SECONDS = 2.0
_MOST_UNWRITTEN = 10_000
_STANDBY_ACCOUNTS = 200
_STANDBY_SECONDS = 15.0
_STRAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A lease of the database, and what is to be written with its end."""

    lease: Lease
    outcomes: list[Outcome]


class SqlPool:
    """`AccountPool`. Made once per process; every method may be called from many threads at once."""

    def __init__(
        self,
        store: Store,
        workers: Workers,
        options: PickOptions,
        limits: PoolLimits,
        clock: Callable[[], float] = time.monotonic,
        recovered: Callable[[str], None] | None = None,
    ) -> None:
        """`recovered` is told, with its id, that an account serves again after something spoke against it."""
        self._store = store
        self._workers = workers
        self._options = options
        self._clock = clock
        self._recovered = recovered
        self._standby = MemoryPool(limits)
        self._picker = Picker(
            store.database.engine.dialect, workers.worker_id, options, store.vault
        )
        self._line = WaitingLine(
            self._pick,
            self.refusal,
            self._give_back,
            seconds=limits.queue_seconds,
            length=limits.queue_length,
        )
        self._held: dict[str, _Held] = {}
        self._lock = threading.Lock()
        self._down_until = 0.0
        self._is_away = False  # until something is written again
        self._wake_at = 0.0
        self._standby_at = 0.0
        self._refusals: dict[Need, tuple[float, PoolError]] = {}
        self._unwritten: deque[Callable[[Connection], None]] = deque(maxlen=_MOST_UNWRITTEN)

    def adopt(self, options: PickOptions, limits: PoolLimits) -> None:
        """Go by these from now on."""
        if options != self._options:
            self._options = options
            self._picker = Picker(
                self._store.database.engine.dialect,
                self._workers.worker_id,
                options,
                self._store.vault,
            )
        self._line.adopt(limits.queue_seconds, limits.queue_length)
        self._standby.adopt(limits)

    # --- the protocol

    @contextmanager
    def lease(self, need: Need, call: Call) -> Iterator[Lease]:
        lease = self._take(need, call)
        if lease is None:
            with self._standby.lease(need, call) as standby:
                yield standby
            return
        with self._lock:
            self._held[lease.lease_id] = _Held(lease, [])
        try:
            yield lease
        finally:
            with self._lock:
                held = self._held.pop(lease.lease_id)
            self._end(held)

    def report(self, lease: Lease, outcome: Outcome) -> None:
        """Written together with the lease's end, or at once when that is past."""
        with self._lock:
            held = self._held.get(lease.lease_id)
            if held is not None:
                held.outcomes.append(outcome)
                return
        self._standby.report(lease, outcome)
        if not outcome.succeeded:
            settle, account_id = self._settling([outcome]), lease.account.account_id
            self._write_sometime(lambda connection: settle(connection, account_id))

    def glance(self, need: Need) -> Account | None:
        if self._is_down():
            return self._standby.glance(need)
        try:
            now = self._store.now()
            return self._store.database.read(
                lambda connection: self._picker.glance(connection, need, now)
            )
        except StorageUnavailable:
            self._note_down()
            return self._standby.glance(need)

    def refusal(self, need: Need) -> PoolError | None:
        if self._is_down():
            return self._standby.refusal(need)
        known = self._known_refusal(need)
        if known is not None:
            return known
        try:
            now = self._store.now()
            answer = self._store.database.read(lambda connection: refusal(connection, need, now))
        except StorageUnavailable:
            self._note_down()
            return self._standby.refusal(need)
        self._keep_refusal(need, answer)
        return answer

    def is_empty(self) -> bool:
        if self._is_down():
            return self._standby.is_empty()
        try:
            return self._store.database.read(_is_empty)
        except StorageUnavailable:
            self._note_down()
            return self._standby.is_empty()

    # --- taking

    def _take(self, need: Need, call: Call) -> Lease | None:
        """A lease of the database; None where that does not answer."""
        call.check()
        if self._is_down():
            self._need_standby()
            return None
        known = self._known_refusal(need)
        if known is not None:  # asking everybody again would be the dearest way to say no
            raise known
        try:
            lease = self._pick(need) if self._line.is_empty else None
            if lease is not None:
                return lease
            refusal = self.refusal(need)
            if refusal is not None:
                raise refusal
            return self._line.wait(need, call)
        except StorageUnavailable:
            self._note_down()
            self._need_standby()
            return None

    def _need_standby(self) -> None:
        if self._standby.is_empty():
            raise StorageUnavailable("The database does not answer.", retry_after=2)

    def _pick(self, need: Need) -> Lease | None:
        now = self._store.now()
        wakes = self._clock() >= self._wake_at
        if wakes:
            self._wake_at = self._clock() + _WAKE_SECONDS

        def work(connection: Connection) -> Lease | None:
            if wakes:
                self._picker.wake(connection, now)
            return self._picker.pick(connection, need, now)

        lease = self._store.database.write(work, wait_seconds=_PATIENCE_SECONDS)
        if lease is not None:
            self._is_away = False
        return lease

    def _known_refusal(self, need: Need) -> PoolError | None:
        known = self._refusals.get(need)
        return known[1] if known is not None and self._clock() < known[0] else None

    def _keep_refusal(self, need: Need, answer: PoolError | None) -> None:
        """For a moment: finding out that nobody can serve means looking at everybody."""
        if answer is None or answer.retry_after is None:
            return
        keep = min(_REFUSAL_SECONDS, answer.retry_after / 2)
        with self._lock:
            if len(self._refusals) > 1000:
                self._refusals.clear()
            self._refusals[need] = (self._clock() + keep, answer)

    # --- giving back

    def _end(self, held: _Held) -> None:
        failures = [outcome for outcome in held.outcomes if not outcome.succeeded]
        forgive = bool(held.outcomes) and not failures
        settle = self._settling(failures)
        back: list[str] = []

        def work(connection: Connection) -> None:
            back[:] = self._back(connection, held.lease) if forgive else []
            account_id = self._picker.release(connection, held.lease, forgive=forgive)
            settle(connection, account_id)

        if failures:
            with self._lock:
                self._refusals.clear()
        if self._write_sometime(work):
            if back and self._recovered is not None:
                self._recovered(back[0])
            self._line.serve()
            return
        for outcome in held.outcomes:
            self._standby.report(held.lease, outcome)

    def _back(self, connection: Connection, lease: Lease) -> list[str]:
        """The account, where it serves again. Looked for only where there was something against it."""
        account_id = lease.account.account_id
        if not lease.reason or not stands_back(connection, account_id, self._store.now()):
            return []
        return [account_id]

    def _give_back(self, lease: Lease) -> None:
        self._write_sometime(partial(self._release, lease=lease))

    def _release(self, connection: Connection, lease: Lease) -> None:
        self._picker.release(connection, lease)

    def _settling(self, outcomes: list[Outcome]) -> Callable[[Connection, str], None]:
        """Times count from when it happened, however late it is written."""
        happened = self._store.now()

        def settle(connection: Connection, account_id: str) -> None:
            late = self._store.now() - happened
            for outcome in outcomes:
                settle_outcome(
                    connection, account_id, _less(outcome, late), happened + late, self._options
                )

        return settle

    def _write_sometime(self, work: Callable[[Connection], None]) -> bool:
        """Now, or once the database answers again; returns whether it is written."""
        if not self._is_down():
            try:
                self._store.database.write(work, wait_seconds=_PATIENCE_SECONDS)
                self._is_away = False
                return True
            except StorageUnavailable:
                self._note_down()
        self._unwritten.append(work)
        return False

    # --- the database's absence

    def _is_down(self) -> bool:
        return self._clock() < self._down_until

    def _note_down(self) -> None:
        if not self._is_down():
            log.warning("the database is away; going on with the accounts seen last")
        self._down_until = self._clock() + _DOWN_SECONDS
        self._is_away = True

    @property
    def is_degraded(self) -> bool:
        """Whether the database took nothing when it was last asked to, or something waits to be written."""
        return self._is_away or bool(self._unwritten)

    def tick(self, *, is_away: bool = False) -> None:
        """Every few seconds, from a job: renew the list of accounts to fall back on, and write what waits.

        `is_away`: the database has just refused to write.
        """
        if is_away:
            self._note_down()
        try:
            self._write_what_waits()
            self._clear_strays()
            if self._clock() >= self._standby_at:
                self._standby.replace(self._store.database.read(self._seen_last))
                self._standby_at = self._clock() + _STANDBY_SECONDS
            self._line.serve()
            if self._is_away and not is_away:
                self._workers.renew()  # it may answer, and yet be full or locked
                self._is_away = False
        except StorageUnavailable:
            self._note_down()

    def _write_what_waits(self) -> None:
        for _ in range(len(self._unwritten)):
            work = self._unwritten.popleft()
            try:
                self._store.database.write(work)
            except StorageUnavailable:
                self._unwritten.append(work)  # behind the others: it may be the one that fails
                raise

    def _clear_strays(self) -> None:
        """Leases of this process that nobody here holds: of a commit whose answer was lost, or of a turn
        that was killed while it took one. They would keep a slot for as long as the process lives."""
        old = tables.leases.c.began_at < self._store.now() - _STRAY_SECONDS
        mine = tables.leases.c.worker_id == self._workers.worker_id
        query = select(tables.leases.c.lease_id, tables.leases.c.account_id).where(mine, old)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        for row in rows:
            if row.lease_id not in self._held:
                log.warning("a lease that nobody holds is cleared", extra={"lease": row.lease_id})
                account = Account(row.account_id, "", Credential(row.account_id, None))
                stray = partial(self._release, lease=Lease(row.lease_id, account))
                self._store.database.write(stray)

    def _seen_last(self, connection: Connection) -> list[Account]:
        now = self._store.now()
        query = (
            FOR_A_TURN.where(tables.accounts.c.selectable)
            .order_by(tables.accounts.c.turn.desc())
            .limit(_STANDBY_ACCOUNTS)
        )
        accounts: list[Account] = []
        for row in connection.execute(query):
            try:
                if row.access_token is not None and is_usable(row.expires_at, now):
                    accounts.append(account_of(row, self._store.vault))
            except WrongKey:
                continue  # reported where it is picked
        return accounts


def _is_empty(connection: Connection) -> bool:
    account = tables.accounts.c
    query = tables.accounts.select().where(account.removed_at.is_(None), account.pooled).limit(1)
    return connection.execute(query.with_only_columns(account.account_id)).first() is None


def _less(outcome: Outcome, late: float) -> Outcome:
    if outcome.retry_after is None or late < 1.0:
        return outcome
    return replace(outcome, retry_after=max(0.0, outcome.retry_after - late))
