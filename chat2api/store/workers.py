"""The processes that hold leases. One that dies stops renewing its row, and what it held is free again.

Where a process can see for itself that another one on its machine is gone, it does not wait for that.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, case, select, update

from chat2api.store import tables
from chat2api.store.opening import Store

LIFE_SECONDS = 45.0
RENEW_SECONDS = 5.0
_RENEW_PATIENCE_SECONDS = 3.0  # it is tried again soon, and that it fails is to be known soon

_BOOT = Path("/proc/sys/kernel/random/boot_id")

_w, _l, _a, _c = tables.workers.c, tables.leases.c, tables.accounts.c, tables.credentials.c


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """What tells a process from all others: where it is, its pid there, and when it began."""

    place: str
    pid: int
    birth: str

    @property
    def is_gone(self) -> bool:
        """Whether it is certain that it has ended; only a process of the same place can tell."""
        return self.place == _place() != "" and _birth(self.pid) != self.birth


def own_mark() -> ProcessMark:
    return ProcessMark(_place(), os.getpid(), _birth(os.getpid()))


def _place() -> str:
    """Host, boot and pid namespace; "" where the kernel does not tell, so that nobody is taken for dead.

    Machines may share a name, and the first namespace has the same number on all of them.
    """
    try:
        boot = _BOOT.read_text("ascii").strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, UnicodeDecodeError):
        return ""


def _birth(pid: int) -> str:
    """The kernel's start time of a process, in ticks since boot; "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    # The name, in parentheses, may hold blanks. A zombie has ended.
    fields = stat.rpartition(")")[2].split()
    return "" if len(fields) < 20 or fields[0] == "Z" else fields[19]


class Workers:
    """This process's row in the list, and the clearing up after others."""

    def __init__(
        self, store: Store, worker_id: str | None = None, mark: ProcessMark | None = None
    ) -> None:
        self._store = store
        self._mark = mark or own_mark()
        self.worker_id = worker_id or f"worker-{secrets.token_hex(8)}"

    def renew(self) -> None:
        """Say that this process lives. To be called every `RENEW_SECONDS`."""
        now = self._store.now()
        alive = update(tables.workers).where(_w.worker_id == self.worker_id)

        def work(connection: Connection) -> None:
            if connection.execute(alive.values(expires_at=now + LIFE_SECONDS)).rowcount == 0:
                connection.execute(
                    tables.workers.insert().values(
                        worker_id=self.worker_id,
                        place=self._mark.place,
                        pid=self._mark.pid,
                        birth=self._mark.birth,
                        started_at=now,
                        expires_at=now + LIFE_SECONDS,
                    )
                )

        self._store.database.write(work, wait_seconds=_RENEW_PATIENCE_SECONDS)

    def clear_up(self) -> int:
        """Give free what dead processes held, renewals under way included; returns how many leases."""
        dead = self._store.database.read(self._dead)
        if not dead:
            return 0
        return self._store.database.write(
            lambda connection: sum(_free_the_dead(connection, worker_id) for worker_id in dead)
        )

    def _dead(self, connection: Connection) -> list[str]:
        now = self._store.now()
        rows = connection.execute(select(tables.workers).where(_w.worker_id != self.worker_id))
        return [
            row.worker_id
            for row in rows
            if row.expires_at <= now or ProcessMark(row.place, row.pid, row.birth).is_gone
        ]

    def leave(self) -> None:
        """At an orderly end: no turn of this process is left to wait for.

        Its claims stay. An exchange may be under way, and is seen through before the process ends: who
        renewed the same credential meanwhile would show a spent token (C01).
        """
        self._store.database.write(
            lambda connection: _free_leases(connection, self.worker_id), wait_seconds=1.0
        )


def _free_the_dead(connection: Connection, worker_id: str) -> int:
    # The mark that something was sent stays, for whoever renews next.
    connection.execute(
        update(tables.credentials)
        .where(_c.refresh_owner == worker_id)
        .values(refresh_owner=None, refresh_until=0.0)
    )
    return _free_leases(connection, worker_id)


def _free_leases(connection: Connection, worker_id: str) -> int:
    """By what this transaction itself deletes: others may be clearing up, or giving back, at this moment."""
    gone = tables.leases.delete().where(_l.worker_id == worker_id).returning(_l.account_id)
    held = Counter(connection.execute(gone).scalars())
    for account_id in sorted(held):  # in one order everywhere: no deadlocks
        free_slots(connection, account_id, held[account_id])
    connection.execute(tables.workers.delete().where(_w.worker_id == worker_id))
    return held.total()


def free_slots(connection: Connection, account_id: str, number: int = 1) -> None:
    connection.execute(
        update(tables.accounts)
        .where(_a.account_id == account_id)
        .values(running=case((_a.running > number, _a.running - number), else_=0))
    )
