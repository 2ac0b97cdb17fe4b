"""Transactions on SQLite or PostgreSQL that never stall the worker.

SQLite waits for locks in C, which would freeze every request of a worker (decision 32): its own timeout
is off, a transaction that means to write says so at its beginning, and where the lock is taken the
whole transaction is run again after a pause in which others go on. No network and no waiting inside one.
"""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, create_engine, event
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Connection], T]

_PAUSE_SECONDS = (0.002, 0.025)
_LOST_PAUSE_SECONDS = (0.05, 0.4)
_CONFLICTS = ("40001", "40P01")  # serialisation failure, deadlock: PostgreSQL asks for another try
_NO_ROOM = "53300"  # too many connections; some may end in a moment
_MOST_CONFLICTS = 3
WAIT_SECONDS = 5.0
_LOST_SECONDS = 3.0
_CONNECT_SECONDS = 5
_STATEMENT_MS = 15_000


class Database:
    """Made once per process, after the fork. Safe from many threads."""

    def __init__(self, url: URL | str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._sleep = sleep
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgres_engine(self.url)
        # One writer at a time anyway; queueing here costs nobody a failed attempt.
        self._writing = threading.Lock()

    def close(self) -> None:
        self.engine.dispose()

    def read(self, work: Work[T]) -> T:
        """Run `work` on one connection. It must not write. Raises StorageUnavailable."""
        return self._persistently(lambda: self._read_once(work), WAIT_SECONDS)

    def write(
        self, work: Work[T], *, durable: bool = False, wait_seconds: float = WAIT_SECONDS
    ) -> T:
        """Run `work` in one transaction, again from its start where the store asks for that.

        `durable` forces it to the disk before it returns (tokens); else a power cut may cost the last
        moments. Raises StorageUnavailable after `wait_seconds`, and IntegrityError.
        """
        return self._persistently(
            lambda: self._write_once(work, durable, wait_seconds), wait_seconds
        )

    # --- one try

    def _read_once(self, work: Work[T]) -> T:
        with self.engine.connect() as connection:
            return work(connection)

    def _write_once(self, work: Work[T], durable: bool, wait_seconds: float) -> T:
        if self.is_sqlite:
            if not self._writing.acquire(timeout=wait_seconds):
                raise StorageUnavailable("The database is busy.", retry_after=2)
            try:
                return self._write_sqlite(work, durable)
            finally:
                self._writing.release()
        with self.engine.connect() as connection, connection.begin() as transaction:
            result = work(connection)
            try:
                transaction.commit()
            except DBAPIError as error:
                if error.connection_invalidated:
                    # It may or may not be done: running it again could do it twice.
                    raise StorageUnavailable("The database broke off while saving.") from None
                raise
            return result

    def _write_sqlite(self, work: Work[T], durable: bool) -> T:
        with self.engine.connect() as connection:
            _set_durability(connection, durable)
            _say(connection, "BEGIN IMMEDIATE")
            try:
                result = work(connection)
                _say(connection, "COMMIT")
            except BaseException:
                with suppress(SQLAlchemyError):  # a full disk may have ended it already
                    _say(connection, "ROLLBACK")
                raise
            return result

    # --- several tries

    def _persistently(self, attempt: Callable[[], T], wait_seconds: float) -> T:
        began = time.monotonic()
        conflicts = 0
        while True:
            try:
                return attempt()
            except IntegrityError:
                raise
            except DBAPIError as error:
                waited = time.monotonic() - began
                if _is_conflict(error) and conflicts < _MOST_CONFLICTS:
                    conflicts += 1
                    pause = _PAUSE_SECONDS
                elif _is_locked(error) and waited < wait_seconds:
                    pause = _PAUSE_SECONDS
                elif _is_lost(error) and waited < min(_LOST_SECONDS, wait_seconds):
                    pause = _LOST_PAUSE_SECONDS
                else:
                    raise _unavailable(error) from None
            except PoolTimeout:
                raise StorageUnavailable(
                    "The database has no free connection.", retry_after=2
                ) from None
            self._sleep(random.uniform(*pause))


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert unless a row with its key is there; returns whether it was inserted."""
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    # Not the count of rows: PostgreSQL's driver does not give one for all inserts.
    told = insert(table).values(row).on_conflict_do_nothing().returning(*table.primary_key)
    return connection.execute(told).first() is not None


def database_url(configured: Secret | None, data_dir: Path) -> URL:
    """DATABASE_URL in SQLAlchemy's spelling; without one, SQLite in DATA_DIR."""
    if configured is None:
        return URL.create("sqlite", database=str(data_dir / "chat2api.db"))
    url = make_url(configured.reveal())
    if url.get_backend_name() in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _sqlite_engine(url: URL) -> Any:
    if url.database and url.database != ":memory:":
        # SQLite would make it readable for everybody; what it makes beside it follows this file.
        with suppress(OSError):
            os.close(os.open(url.database, os.O_WRONLY | os.O_CREAT, 0o600))
    # Transactions are begun and ended here, in words: the driver's own idea of when they begin differs.
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": 0, "check_same_thread": False},
        pool_size=8,
        max_overflow=8,
        pool_timeout=WAIT_SECONDS,
        pool_reset_on_return=None,  # every transaction is ended in words, also a failed one
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # Changing to WAL takes a lock for a moment, and nobody retries in here.
        connection.execute("PRAGMA busy_timeout = 2000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -8000")

    return engine


def _postgres_engine(url: URL) -> Any:
    return create_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_timeout=2,
        pool_pre_ping=True,
        pool_recycle=1800,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": f"-c statement_timeout={_STATEMENT_MS} -c timezone=UTC",
            "application_name": "chat2api",
            "prepare_threshold": None,  # connection poolers in between do not keep prepared statements
        },
    )


def _say(connection: Connection, statement: str) -> None:
    """To SQLite itself: the way through SQLAlchemy takes longer than what it asks for."""
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        driver.execute(statement).close()
    except sqlite3.Error as error:
        raise OperationalError(statement, None, error) from None


def _set_durability(connection: Connection, durable: bool) -> None:
    known = connection.info.get("durable")
    if known is not durable:
        connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.info["durable"] = durable


def _is_locked(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _is_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _CONFLICTS


def _is_lost(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # no connection at all; other errors without a state are of our own making
        return error.connection_invalidated or isinstance(error, OperationalError)
    # 57P01 to 57P03: shutting down, crashed, still starting.
    return error.connection_invalidated or state == _NO_ROOM or state.startswith(("08", "57P"))


def _unavailable(error: DBAPIError) -> StorageUnavailable:
    """Without the text of the error: that quotes statements and their values."""
    kind = type(error.orig).__name__
    name = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    log.error("the database failed", extra={"kind": kind, "code": name or "-"})
    if _is_locked(error):
        return StorageUnavailable("The database is busy.", retry_after=2)
    return StorageUnavailable("The database does not answer, or takes no writes.", retry_after=5)
