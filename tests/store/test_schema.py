"""The schema is brought up to date whole or not at all, after a copy (E05, E09, E10)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from chat2api.errors import StorageUnavailable
from chat2api.store import schema, tables
from chat2api.store.engine import Database
from chat2api.store.schema import (
    NewerSchema,
    check_schema,
    copy_sqlite,
    current_revision,
    has_tables,
    migrate,
    newest_revision,
    wait_for,
)

from ..conftest import ROOT
from ..postgres import Cluster
from .conftest import with_driver


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'chat2api.db'}"
        return
    postgres: Cluster = request.getfixturevalue("postgres")
    name = f"empty_{os.getpid()}"
    yield with_driver(postgres.create(name))
    postgres.drop(name)


@pytest.fixture
def database(url: str) -> Any:
    made = Database(url)
    yield made
    made.close()


def brought(database: Database, backups: Path, version: str = "0.1.0") -> bool:
    return migrate(database, version=version, backups=backups)


def pretend(database: Database, revision: str) -> None:
    """The database as another version left it."""
    database.write(
        lambda c: c.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    )


def names(database: Database) -> set[str]:
    return set(database.read(lambda connection: inspect(connection).get_table_names()))


def test_an_empty_one_is_filled_once(database: Database, tmp_path: Path) -> None:
    assert (has_tables(database), current_revision(database)) == (False, None)
    with pytest.raises(StorageUnavailable, match="schema"):
        check_schema(database)
    assert [brought(database, tmp_path / "backups") for _ in range(2)] == [True, False]
    assert names(database) == {*tables.metadata.tables, "alembic_version"}
    assert (has_tables(database), current_revision(database)) == (True, newest_revision())
    check_schema(database)
    assert not (tmp_path / "backups").exists()  # there was nothing to lose


def test_of_many_that_start_together_one_migrates(url: str, tmp_path: Path) -> None:
    done: list[bool] = []

    def start() -> None:
        mine = Database(url)
        done.append(brought(mine, tmp_path))
        mine.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [False, False, False, True]


def test_an_interrupted_migration_never_was(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E09."""

    def interrupt(connection: Connection, version: str) -> None:
        assert inspect(connection).get_table_names() != []
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "_note_version", interrupt)
    with pytest.raises(KeyboardInterrupt):
        brought(database, tmp_path)
    assert names(database) == set()
    monkeypatch.undo()
    assert brought(database, tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
from chat2api.store import schema
from chat2api.store.engine import Database
schema._note_version = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
schema.migrate(Database(sys.argv[1]), version="0.1.0", backups=Path(sys.argv[2]))
"""


def test_a_process_killed_in_a_migration(url: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(tmp_path)], cwd=ROOT, timeout=60, check=False
    )
    assert ended.returncode == -9
    database = Database(url)
    assert names(database) == set()
    assert brought(database, tmp_path)
    database.close()


def test_a_newer_one_is_refused_and_left_alone(database: Database, tmp_path: Path) -> None:
    """E10."""
    brought(database, tmp_path, "9.9.9")
    pretend(database, "9999")
    with pytest.raises(NewerSchema) as caught:
        brought(database, tmp_path / "backups", "0.1.0")
    assert str(caught.value) == (
        "the database was written by chat2api 9.9.9 (schema 9999), and this is 0.1.0: "
        "start the newer version, or restore the backup from before its first start"
    )
    assert current_revision(database) == "9999"
    assert not (tmp_path / "backups").exists()


def test_nothing_of_a_newer_one_is_written(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    brought(database, tmp_path)
    pretend(database, "9999")
    database.close()
    before = (tmp_path / "a.db").read_bytes(), (tmp_path / "a.db").stat().st_mtime_ns
    again = Database(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(NewerSchema):
        brought(again, tmp_path)
    again.close()
    assert ((tmp_path / "a.db").read_bytes(), (tmp_path / "a.db").stat().st_mtime_ns) == before


# --- copies


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database of SQLite that an older version wrote, and nothing to change in it."""
    database = Database(f"sqlite:///{tmp_path / 'chat2api.db'}")
    brought(database, tmp_path)
    database.write(lambda c: c.execute(tables.meta.insert().values(name="mine", value="1")))
    newest = newest_revision()
    monkeypatch.setattr(schema, "newest_revision", lambda: "0004")
    monkeypatch.setattr(schema, "_upgrade", lambda connection: None)
    assert newest == "0003"
    yield database
    database.close()


def test_a_copy_is_made_before_anything_is_changed(older: Database, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    assert brought(older, backups, "0.2.0")
    (copy,) = backups.iterdir()
    assert copy.name.startswith("before-0003-")
    assert (copy.stat().st_mode & 0o777, backups.stat().st_mode & 0o777) == (0o600, 0o700)
    with closing(sqlite3.connect(copy)) as opened:
        found = opened.execute("SELECT name, value FROM meta ORDER BY name").fetchall()
        assert found == [("app_version", "0.1.0"), ("mine", "1")]
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_only_the_last_copies_are_kept(older: Database, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    for number in range(5):
        path = backups / f"before-0003-2020010{number}-000000.db"
        path.touch()
        os.utime(path, (number, number))
    brought(older, backups)
    assert len(list(backups.iterdir())) == 3
    assert (backups / "before-0003-20200104-000000.db").exists()


def test_without_a_copy_nothing_is_changed(older: Database, tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file in the way")
    with pytest.raises(StorageUnavailable, match="nothing was changed"):
        brought(older, tmp_path / "backups", "0.2.0")
    query = tables.meta.select().where(tables.meta.c.name == "app_version")
    assert older.read(lambda c: c.execute(query).one().value) == "0.1.0"


def test_a_copy_that_fails_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "not.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        copy_sqlite(tmp_path / "not.db", tmp_path / "copy.db")
    assert os.listdir(tmp_path) == ["not.db"]


# --- waiting


def test_a_database_that_is_there_is_not_waited_for(database: Database) -> None:
    wait_for(database, 60.0, sleep=lambda seconds: pytest.fail("slept"))


def test_a_database_that_comes_late_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [StorageUnavailable("away")] * 6
    pauses: list[float] = []

    def read(work: Any) -> None:
        if away:
            raise away.pop()

    monkeypatch.setattr(database, "read", read)
    monkeypatch.setattr(database, "is_sqlite", False)
    wait_for(database, 60.0, sleep=pauses.append)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    away.append(StorageUnavailable("away"))
    with pytest.raises(StorageUnavailable):
        wait_for(database, 0.1, sleep=pauses.append)
