"""Wrong secrets by address, and how long that address has to wait (fault matrix G03).

After `free` wrong ones in ten minutes an address is told to wait 1 minute, after one more 2, 4, 8, and
15 from then on. Above a number of wrong ones from all addresses together everybody waits some seconds,
but for addresses where somebody got in lately: guessing from many addresses gets slow, and no operator
is locked out.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chat2api.errors import TooManyLoginAttempts
from chat2api.store.opening import Store
from chat2api.store.tables import login_failures

WINDOW_SECONDS = 600.0
FIRST_WAIT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 900.0
FREE_FOR_ALL = 100
"""Wrong secrets from all addresses together in ten minutes, before anybody has to wait for others."""
FIRST_WAIT_FOR_ALL_SECONDS = 1.0
LONGEST_WAIT_FOR_ALL_SECONDS = 15.0
TRUSTED_SECONDS = 30 * 86_400.0

_IPV6_NETWORK = 64  # what one customer gets: each has 2⁶⁴ addresses to come from
_ROWS_AT_ONCE = 1000

_f = login_failures.c
_Sums = dict[str, Row[Any]]


class Attempts:
    """`purpose` keeps counts apart. Every method raises StorageUnavailable."""

    def __init__(self, store: Store, purpose: str = "admin", *, free: int = 5) -> None:
        self._store = store
        self._purpose = purpose
        self._free = free

    def check(self, address: str) -> None:
        """Raises TooManyLoginAttempts while the address has to wait, whatever secret it brings.

        To be asked before a right secret is honoured: else guessing could go on while waiting.
        """
        rows = self._store.database.read(lambda connection: self._rows(connection, address))
        self._refuse_if_waiting(rows, address)

    def failed(self, address: str) -> int:
        """Count a wrong secret; how many of this address count now. Raises TooManyLoginAttempts, and counts nothing, while waiting.

        So parallel guesses count one after the other, and waiting does not make the wait longer. Who has to
        wait costs a look only: anybody may send wrong secrets, and writes keep the others waiting.
        """
        self.check(address)

        def work(connection: Connection) -> int:
            self._lock(connection)
            rows = self._rows(connection, address)
            self._refuse_if_waiting(rows, address)
            now = self._store.now()
            own, all_of_them = self._own(address), self._everybody()
            failures = self._count(connection, own, rows.get(own), now, self._wait_alone)
            self._count(connection, all_of_them, rows.get(all_of_them), now, _wait_for_all)
            self._forget(connection, now)
            return failures

        return self._store.database.write(work)

    def succeeded(self, address: str, *, forgiving: bool = True) -> None:
        """Somebody got in: the address is trusted for a while, and earlier mistakes are forgiven.

        Not `forgiving` where secrets are many: else who has one could guess at the others without end.
        """
        now = self._store.now()

        def work(connection: Connection) -> None:
            if forgiving:
                connection.execute(delete(login_failures).where(_f.bucket == self._own(address)))
            _put(connection, self._trusted(address), 0, now, 0.0)

        self._store.database.write(work)

    # --- buckets

    def _own(self, address: str) -> str:
        return f"{self._purpose}:{network_of(address)}"

    def _trusted(self, address: str) -> str:
        return f"{self._purpose}-ok:{network_of(address)}"

    def _everybody(self) -> str:
        return f"{self._purpose}:*"

    def _lock(self, connection: Connection) -> None:
        """Others that count wait here until this transaction has ended."""
        connection.execute(
            _insert(connection)
            .values(bucket=self._everybody())
            .on_conflict_do_update(index_elements=["bucket"], set_={"failures": _f.failures})
        )

    def _rows(self, connection: Connection, address: str) -> _Sums:
        names = [self._own(address), self._everybody(), self._trusted(address)]
        query = select(login_failures).where(_f.bucket.in_(names))
        return {row.bucket: row for row in connection.execute(query)}

    # --- rules

    def _refuse_if_waiting(self, rows: _Sums, address: str) -> None:
        now = self._store.now()
        trusted = rows.get(self._trusted(address))
        counted = [rows.get(self._own(address))]
        if trusted is None or trusted.first_at <= now - TRUSTED_SECONDS:
            counted.append(rows.get(self._everybody()))
        until = max((row.blocked_until for row in counted if row is not None), default=0.0)
        if now < until:
            raise TooManyLoginAttempts(
                "Too many wrong passwords or keys. Wait, then try again.", retry_after=until - now
            )

    def _wait_alone(self, failures: int) -> float:
        if failures < self._free:
            return 0.0
        return min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failures - self._free, 10))

    def _count(
        self, connection: Connection, bucket: str, row: Row[Any] | None, now: float, wait: Any
    ) -> int:
        is_stale = row is None or now > max(row.first_at, row.blocked_until) + WINDOW_SECONDS
        failures = 1 if is_stale or row is None else row.failures + 1
        first_at = now if is_stale or row is None else row.first_at
        pause = wait(failures)
        _put(connection, bucket, failures, first_at, now + pause if pause else 0.0)
        return failures

    def _forget(self, connection: Connection, now: float) -> None:
        """Counts that no longer mean anything; else every address that ever came would stay."""
        old = (
            (_f.blocked_until < now - WINDOW_SECONDS)
            & (_f.first_at < now - WINDOW_SECONDS)
            & ~_f.bucket.contains("-ok:")
        ) | (_f.first_at < now - TRUSTED_SECONDS)
        names = select(_f.bucket).where(old).limit(_ROWS_AT_ONCE)
        connection.execute(delete(login_failures).where(_f.bucket.in_(names)))


def _wait_for_all(failures: int) -> float:
    if failures < FREE_FOR_ALL:
        return 0.0
    doubled = FIRST_WAIT_FOR_ALL_SECONDS * 2.0 ** min((failures - FREE_FOR_ALL) // 10, 10)
    return min(LONGEST_WAIT_FOR_ALL_SECONDS, doubled)


def network_of(address: str) -> str:
    """Whom an address stands for: an IPv4 address itself, an IPv6 one its /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False))


def _put(
    connection: Connection, bucket: str, failures: int, first_at: float, blocked_until: float
) -> None:
    values = {"failures": failures, "first_at": first_at, "blocked_until": blocked_until}
    connection.execute(
        _insert(connection)
        .values(bucket=bucket, **values)
        .on_conflict_do_update(index_elements=["bucket"], set_=values)
    )


def _insert(connection: Connection) -> Any:
    """An INSERT that knows what to do on conflict, in the database's own words."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    return insert(login_failures)
