"""Transactions that are run again where the database asks for it, and never stall the worker (E01 to E08)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.engine import Database, database_url, insert_new
from chat2api.store.opening import Store

from ..conftest import ROOT
from ..postgres import Cluster, Unavailable, start_cluster
from .conftest import with_driver
from .handed import Place, rows


def put(name: str, value: str = "") -> Any:
    return lambda connection: connection.execute(
        tables.meta.insert().values(name=name, value=value)
    )


def names(store: Store) -> list[str]:
    return [row["name"] for row in rows(store, tables.meta)]


class Lock:
    """Another process that holds SQLite's write lock until it is let go."""

    def __init__(self, place: Place) -> None:
        path = place.url.removeprefix("sqlite:///")
        program = (
            "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],isolation_level=None);"
            "c.execute('BEGIN IMMEDIATE'); print('held',flush=True); sys.stdin.read();"
            "c.execute('COMMIT')"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def let_go(self) -> None:
        self._process.communicate(timeout=10)


class Pauses:
    """Sleeps of the engine: noted, and something happens in one of them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.then: Any = lambda: None

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.then()


# --- one transaction


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def work(connection: Connection) -> None:
        put("a")(connection)
        raise ZeroDivisionError

    for _ in range(20):  # more often than there are connections
        with pytest.raises(ZeroDivisionError):
            store.database.write(work)
    assert names(store) == []
    store.database.write(put("b"))
    assert names(store) == ["b"]


def test_a_broken_rule_is_told(store: Store) -> None:
    store.database.write(put("a"))
    with pytest.raises(IntegrityError):
        store.database.write(put("a"))
    assert names(store) == ["a"]


def test_inserting_unless_it_is_there(store: Store) -> None:
    def work(connection: Connection) -> list[bool]:
        return [
            insert_new(connection, tables.meta, {"name": "a", "value": value}) for value in "12"
        ]

    assert store.database.write(work) == [True, False]
    assert rows(store, tables.meta) == [{"name": "a", "value": "1"}]


def test_many_threads_count_right(store: Store) -> None:
    store.database.write(put("n", "0"))

    def add(connection: Connection) -> None:
        locked = tables.meta.select().with_for_update()
        value = int(connection.execute(locked).one().value)
        connection.execute(tables.meta.update().values(value=str(value + 1)))

    def run() -> None:
        for _ in range(10):
            store.database.write(add)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert rows(store, tables.meta) == [{"name": "n", "value": "80"}]


def test_references_are_checked(store: Store) -> None:
    row = {"account_id": "a", "identity": "i", "credential_id": "none"}
    with pytest.raises(IntegrityError):
        store.database.write(lambda c: c.execute(tables.accounts.insert().values(row)))


# --- SQLite


def test_the_file_is_the_owners(sqlite_store: Store) -> None:
    sqlite_store.database.write(put("a"))
    folder = sqlite_store.data_dir
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "chat2api.db": 0o600,
        "chat2api.db-wal": 0o600,
        "chat2api.db-shm": 0o600,
    }


def test_a_new_file_is_the_owners_from_its_beginning(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{tmp_path / 'new.db'}")
        assert (tmp_path / "new.db").stat().st_mode & 0o777 == 0o600
        database.close()
    finally:
        os.umask(before)


def test_tokens_are_forced_to_the_disk_and_usage_is_not(sqlite_store: Store) -> None:
    def level(connection: Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    write = sqlite_store.database.write
    assert [write(level, durable=durable) for durable in (True, False, True)] == [2, 1, 2]


def test_a_lock_of_another_process_is_waited_for_in_pauses(sqlite_place: Place) -> None:
    """E01: the waiting is ours, so that other requests go on; SQLite itself does not wait."""
    lock, pauses = Lock(sqlite_place), Pauses()
    pauses.then = lambda: lock.let_go() if len(pauses.seconds) == 3 else None
    store = sqlite_place.open(sleep=pauses)
    store.database.write(put("a"))
    assert names(store) == ["a"]
    assert len(pauses.seconds) >= 3
    assert all(0.002 <= seconds <= 0.025 for seconds in pauses.seconds)
    store.close()


def test_a_lock_that_stays_is_told(sqlite_place: Place) -> None:
    lock, pauses = Lock(sqlite_place), Pauses()
    store = sqlite_place.open(sleep=pauses)
    with pytest.raises(StorageUnavailable) as caught:
        store.database.write(put("a"), wait_seconds=0.01)
    assert (caught.value.message, caught.value.retry_after) == ("The database is busy.", 2)
    assert names(store) == []  # reading goes on
    lock.let_go()
    store.close()


def test_nobody_waits_longer_for_another_thread_than_he_may(sqlite_store: Store) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        inside.set()
        go_on.wait(5)

    thread = threading.Thread(target=sqlite_store.database.write, args=[slow])
    thread.start()
    inside.wait(5)
    with pytest.raises(StorageUnavailable, match="busy"):
        sqlite_store.database.write(put("a"), wait_seconds=0.01)
    go_on.set()
    thread.join(5)
    sqlite_store.database.write(put("b"))
    assert names(sqlite_store) == ["b"]


def on_every_connection(store: Store, pragma: str) -> Any:
    def run(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute(pragma)

    event.listen(store.database.engine, "checkout", run)
    return lambda: event.remove(store.database.engine, "checkout", run)


@pytest.mark.parametrize("pragma", ["PRAGMA max_page_count = 1", "PRAGMA query_only = ON"])
def test_a_full_disk_and_a_read_only_file_are_told_and_harm_nothing(
    sqlite_store: Store, pragma: str, caplog: pytest.LogCaptureFixture
) -> None:
    """E02, E03. The text of the error would show values: it is not told."""
    sqlite_store.database.write(put("a"))
    stop = on_every_connection(sqlite_store, pragma)
    for _ in range(20):
        with pytest.raises(StorageUnavailable) as caught:
            sqlite_store.database.write(put("b", "planted" * 10_000))
    assert caught.value.message == "The database does not answer, or takes no writes."
    assert names(sqlite_store) == ["a"]
    assert "planted" not in caplog.text + repr([vars(record) for record in caplog.records])
    stop()
    for connection in ("PRAGMA max_page_count = 4294967294", "PRAGMA query_only = OFF"):
        on_every_connection(sqlite_store, connection)
    sqlite_store.database.write(put("c"))
    with closing(sqlite3.connect(sqlite_store.data_dir / "chat2api.db")) as check:
        assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_two_processes_write_one_file(sqlite_place: Place) -> None:
    """D05: on one machine that is allowed."""
    one, two = sqlite_place.open(), sqlite_place.open()
    one.database.write(put("n", "0"))

    def add(connection: Connection) -> None:
        value = int(connection.execute(tables.meta.select()).one().value)
        connection.execute(tables.meta.update().values(value=str(value + 1)))

    threads = [
        threading.Thread(target=lambda store=store: [store.database.write(add) for _ in range(25)])
        for store in (one, two)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert rows(two, tables.meta) == [{"name": "n", "value": "50"}]
    one.close(), two.close()


# --- PostgreSQL


def test_a_serialisation_failure_is_run_again_whole(postgres_store: Store) -> None:
    """E08: three times, and what it did before is undone."""
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(len(tries))
        put(f"try {len(tries)}")(connection)
        if len(tries) < 4:
            connection.execute(
                text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")
            )

    postgres_store.database.write(work)
    assert (tries, names(postgres_store)) == ([0, 1, 2, 3], ["try 4"])


def test_a_conflict_that_does_not_end_is_told(postgres_store: Store) -> None:
    def work(connection: Connection) -> None:
        connection.execute(
            text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$")
        )

    with pytest.raises(StorageUnavailable):
        postgres_store.database.write(work)


def test_a_true_deadlock_is_solved_without_a_double_effect(postgres_store: Store) -> None:
    for name in "ab":
        postgres_store.database.write(put(name, "0"))
    meet = threading.Barrier(2)

    def transfer(order: str) -> None:
        first = True

        def work(connection: Connection) -> None:
            nonlocal first
            for name in order:
                connection.execute(
                    text("UPDATE meta SET value = value::int + 1 WHERE name = :name"),
                    {"name": name},
                )
                if first:
                    first = False
                    meet.wait(5)

        postgres_store.database.write(work)

    threads = [threading.Thread(target=transfer, args=[order]) for order in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [row["value"] for row in rows(postgres_store, tables.meta)] == ["2", "2"]


def test_our_own_mistake_is_not_taken_for_a_lost_connection(postgres_place: Place) -> None:
    pauses = Pauses()
    store = postgres_place.open(sleep=pauses)
    with pytest.raises(StorageUnavailable):
        store.database.write(put("a\0b"))
    assert pauses.seconds == []
    store.close()


@pytest.fixture
def own_server() -> Any:
    """A server that may be stopped."""
    try:
        cluster = start_cluster()
    except Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    yield cluster
    cluster.remove()


def test_a_server_that_restarts_is_found_again(own_server: Any, tmp_path: Path) -> None:
    """E04, E05, E06."""
    pauses = Pauses()
    url = with_driver(own_server.create("own"))
    store = Place(url, tmp_path).open(sleep=pauses)
    store.database.write(tables.metadata.create_all)
    store.database.write(put("a"))
    own_server.stop()
    own_server.start()
    assert names(store) == ["a"]  # dead connections are replaced
    own_server.stop()
    with pytest.raises(StorageUnavailable) as caught:
        store.database.write(put("b"), wait_seconds=0.0)
    assert caught.value.retry_after == 5
    pauses.then = lambda: own_server.start() if len(pauses.seconds) == 1 else None
    pauses.seconds.clear()
    store.database.write(put("c"))
    assert (names(store), len(pauses.seconds)) == (["a", "c"], 1)
    store.close()


def test_a_server_without_room_is_asked_again_for_a_while(
    postgres: Cluster, postgres_place: Place
) -> None:
    """E07."""
    postgres.execute(
        sql.SQL("DROP ROLE IF EXISTS one_guest"),
        sql.SQL("CREATE ROLE one_guest LOGIN CONNECTION LIMIT 1"),
    )
    pauses = Pauses()
    url = postgres_place.url.replace("//postgres@", "//one_guest@")
    store = Place(url, postgres_place.data_dir).open(sleep=pauses)
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as taken:
        pauses.then = taken.close
        assert store.database.read(lambda c: c.execute(text("SELECT 1")).scalar()) == 1
    assert 1 <= len(pauses.seconds) < 20
    store.close()


# --- addresses


@pytest.mark.parametrize(
    ("given", "url"),
    [
        (None, "sqlite:////data/chat2api.db"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h:5433/d?sslmode=require", "postgresql+psycopg://h:5433/d?sslmode=require"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:////other.db", "sqlite:////other.db"),
    ],
)
def test_addresses(given: str | None, url: str) -> None:
    found = database_url(None if given is None else Secret(given), Path("/data"))
    assert found.render_as_string(hide_password=False) == url


# --- sudden ends

KILLED = """
import os, signal, sys
from chat2api.store import tables
from chat2api.store.engine import Database
def work(connection):
    for number in range(2000):
        connection.execute(tables.meta.insert().values(name=str(number), value="x" * 500))
    os.kill(os.getpid(), signal.SIGKILL)
Database(sys.argv[1]).write(work, durable=True)
"""


def test_a_process_killed_in_mid_write_leaves_a_whole_store(sqlite_place: Place) -> None:
    """D04."""
    store = sqlite_place.open()
    store.database.write(put("a"), durable=True)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, sqlite_place.url], cwd=ROOT, timeout=60, check=False
    )
    assert ended.returncode == -9
    assert names(store) == ["a"]
    check = store.database.read(lambda c: c.exec_driver_sql("PRAGMA integrity_check").all())
    assert check == [("ok",)]
    store.database.write(put("b"))
    store.close()
