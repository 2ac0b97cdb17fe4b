"""Looking at an SQLite database without changing it, and putting another in its place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chat2api.store.sqlite_files import (
    CopyFailed,
    Present,
    copy_whole,
    look,
    make_single_file,
    put_in_place,
    troubles,
)


def made(path: Path, *values: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (value)")
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in values])
    return path


def values(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT value FROM t")]


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE accounts (removed_at)")
        connection.execute("CREATE TABLE workers (expires_at)")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.execute("INSERT INTO accounts VALUES (NULL), (NULL), (5)")
        connection.execute("INSERT INTO workers VALUES (100), (50)")
    return path


def test_what_is_there(ours: Path, tmp_path: Path) -> None:
    assert look(ours, 60.0) == Present("0001", accounts=2, servers=1)
    assert look(ours, 100.0) == Present("0001", accounts=2, servers=0)
    assert look(tmp_path / "none.db", 0.0) == Present()
    assert not (tmp_path / "none.db").exists()
    assert look(made(tmp_path / "other.db"), 0.0) == Present()
    (tmp_path / "empty.db").touch()
    assert look(tmp_path / "empty.db", 0.0) == Present()


def test_damage(ours: Path, tmp_path: Path) -> None:
    assert troubles(ours) == []
    junk = tmp_path / "junk.db"
    junk.write_bytes(b"this is no database at all" * 100)
    assert look(junk, 0.0) == Present(is_readable=False)
    assert troubles(junk) == ["file is not a database"]


def test_a_single_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (value)")
        connection.commit()
    make_single_file(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.db"]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # the header's word for no WAL


def test_a_whole_copy(ours: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(ours)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO accounts VALUES (NULL)")
        copy_whole(ours, tmp_path / "copy.db")  # somebody is writing, and has not finished
        writer.rollback()
    assert look(tmp_path / "copy.db", 60.0) == look(ours, 60.0)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "junk.db").write_bytes(b"ruins" * 1000)
    with pytest.raises(CopyFailed, match="not a database"):
        copy_whole(tmp_path / "junk.db", tmp_path / "other.db")


def test_the_old_one_is_kept_with_what_had_not_reached_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (value)")
        connection.execute("INSERT INTO t VALUES ('old')")
        connection.commit()
        assert Path(f"{path}-wal").exists()  # so the row is not in the file itself yet
        kept = put_in_place(made(tmp_path / "fresh", "new"), path)
    assert kept == Path(f"{path}.before-restore")
    assert values(path) == ["new"]
    assert values(kept) == ["old"]


def test_no_kept_one_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert put_in_place(made(tmp_path / "1", "first"), path) is None
    put_in_place(made(tmp_path / "2", "second"), path)
    kept = put_in_place(made(tmp_path / "3", "third"), path)
    assert kept == Path(f"{path}.before-restore.2")
    assert values(path) == ["third"]
    assert values(kept) == ["second"]
    assert values(Path(f"{path}.before-restore")) == ["first"]
