"""What keys have used: requests of this minute, tokens of today, and tokens set aside for what runs.

A day's row is locked by the transaction that looks at it, so however many requests come at once, their
reservations never exceed what is left. A reservation is a row of its own that ends by itself: a process
that dies in between costs its key nothing for longer than that.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chat2api.store.opening import Store
from chat2api.store.tables import key_usage

MINUTE_SECONDS = 60.0
HOLD_SECONDS = 3900.0  # longer than the longest request
DAY_KEPT_SECONDS = 40 * 86_400.0

_u = key_usage.c
_HOLD = "hold:"
_SETTLE_WAIT_SECONDS = 1.0  # an answer waits for it


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the budget: its name, and its end in epoch seconds."""

    bucket: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Count:
    """Where a limit stands after it was asked: what is left, and when (epoch seconds) it is whole again."""

    limit: int
    left: int
    resets_at: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Tokens set aside for one request, from the budget of `day`, until `ends_at`."""

    hold_id: str
    key_id: str
    day: Day
    tokens: int
    ends_at: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A request let in: where its limits stand now, and what was set aside for it."""

    requests: Count | None
    tokens: Count
    hold: Hold


class Spent(Exception):
    """The limit asked for has nothing left. Raised inside a transaction, so it undoes that."""

    def __init__(self, count: Count) -> None:
        super().__init__("spent")
        self.count = count


class RequestsSpent(Spent):
    """No request is left in this minute."""


class TokensSpent(Spent):
    """No token is left today."""


class KeyUsage:
    """Every method raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> float:
        return self._store.now()

    def take_request(self, key_id: str, limit: int, wait_seconds: float) -> Count:
        """Count one request of this minute. Raises RequestsSpent."""
        return self._store.database.write(
            lambda connection: self._count_request(connection, key_id, limit),
            wait_seconds=wait_seconds,
        )

    def take(self, key_id: str, per_minute: int | None, daily: int, wanted: int, day: Day) -> Taken:
        """The same together with `wanted` tokens, or what is left of them. Both or nothing.

        Raises RequestsSpent, TokensSpent.
        """

        def work(connection: Connection) -> Taken:
            requests = (
                None if per_minute is None else self._count_request(connection, key_id, per_minute)
            )
            tokens, hold = self._hold(connection, key_id, daily, wanted, day)
            return Taken(requests, tokens, hold)

        return self._store.database.write(work)

    def settle(self, hold: Hold, used: int) -> None:
        """Give the hold back and count what was used instead; once, however often it is said."""

        def work(connection: Connection) -> None:
            gone = connection.execute(
                delete(key_usage).where(_u.key_id == hold.key_id, _u.bucket == hold.hold_id)
            )
            # One that is gone before its time was settled; one that ended by itself is owed for still.
            is_owed = gone.rowcount > 0 or hold.ends_at <= self._store.now()
            if used > 0 and is_owed:
                _ensure_day(connection, hold.key_id, hold.day)
                connection.execute(
                    update(key_usage)
                    .where(_u.key_id == hold.key_id, _u.bucket == hold.day.bucket)
                    .values(used=_u.used + used)
                )

        self._store.database.write(work, wait_seconds=_SETTLE_WAIT_SECONDS)

    def used_today(self, key_id: str, day: Day) -> int:
        query = select(_u.used).where(_u.key_id == key_id, _u.bucket == day.bucket)
        return self._store.database.read(
            lambda connection: int(connection.execute(query).scalar() or 0)
        )

    def all_used_today(self, key_ids: Collection[str], day: Day) -> dict[str, int]:
        """Tokens of several keys at once; those that used none are left out."""
        query = select(_u.key_id, _u.used).where(_u.bucket == day.bucket, _u.key_id.in_(key_ids))
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return {row.key_id: int(row.used) for row in rows}

    def prune(self) -> int:
        """Forget windows that ended; days are kept a while for whoever looks at them. How many went."""
        now = self._store.now()
        old = (_u.ends_at < now - DAY_KEPT_SECONDS) | (
            ~_u.bucket.startswith("day:") & (_u.ends_at < now)
        )
        return self._store.database.write(
            lambda connection: connection.execute(delete(key_usage).where(old)).rowcount
        )

    # --- inside a transaction

    def _count_request(self, connection: Connection, key_id: str, limit: int) -> Count:
        minute = int(self._store.now() // MINUTE_SECONDS)
        ends_at = (minute + 1) * MINUTE_SECONDS
        bucket = f"minute:{minute}"
        row = {"key_id": key_id, "bucket": bucket, "used": 1, "ends_at": ends_at}
        counted = connection.execute(
            _insert(connection)
            .values(row)
            .on_conflict_do_update(
                index_elements=["key_id", "bucket"],
                set_={"used": _u.used + 1},
                where=_u.used < limit,
            )
            .returning(_u.used)
        ).scalar()
        if counted is None:
            raise RequestsSpent(Count(limit, 0, ends_at))
        if counted == 1:
            _forget_minutes(connection, key_id, self._store.now())
        return Count(limit, limit - counted, ends_at)

    def _hold(
        self, connection: Connection, key_id: str, daily: int, wanted: int, day: Day
    ) -> tuple[Count, Hold]:
        now = self._store.now()
        _ensure_day(connection, key_id, day)
        left = daily - _taken(connection, key_id, day, now)
        if left < 1:
            raise TokensSpent(Count(daily, 0, day.ends_at))
        hold = Hold(
            hold_id=f"{_HOLD}{secrets.token_hex(12)}",
            key_id=key_id,
            day=day,
            tokens=min(max(1, wanted), left),
            # Tomorrow's tokens are others, so a hold matters no longer than its day.
            ends_at=min(now + HOLD_SECONDS, day.ends_at),
        )
        connection.execute(
            key_usage.insert().values(
                key_id=key_id, bucket=hold.hold_id, reserved=hold.tokens, ends_at=hold.ends_at
            )
        )
        return Count(daily, left - hold.tokens, day.ends_at), hold


def _taken(connection: Connection, key_id: str, day: Day, now: float) -> int:
    """Tokens used today and set aside. The day's row is locked first: the next one waits here."""
    used = connection.execute(
        update(key_usage)
        .where(_u.key_id == key_id, _u.bucket == day.bucket)
        .values(used=_u.used)
        .returning(_u.used)
    ).scalar_one()
    held = connection.execute(
        select(func.coalesce(func.sum(_u.reserved), 0)).where(
            _u.key_id == key_id, _u.bucket.startswith(_HOLD), _u.ends_at > now
        )
    ).scalar_one()
    return int(used) + int(held)


def _ensure_day(connection: Connection, key_id: str, day: Day) -> None:
    row = {"key_id": key_id, "bucket": day.bucket, "ends_at": day.ends_at}
    connection.execute(_insert(connection).values(row).on_conflict_do_nothing())


def _forget_minutes(connection: Connection, key_id: str, now: float) -> None:
    """Once a minute and key: what ended is of no use."""
    connection.execute(
        delete(key_usage).where(
            _u.key_id == key_id, _u.ends_at <= now, ~_u.bucket.startswith("day:")
        )
    )


def _insert(connection: Connection) -> Any:
    """An INSERT that knows what to do on conflict, in the database's own words."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    return insert(key_usage)
