"""Checks of the database: nothing is made or changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from chat2api.cli.checks.database import check_database
from chat2api.cli.checks.finding import fail, ok
from chat2api.secret import Secret
from chat2api.settings.model import Settings
from chat2api.store.opening import prepare_store
from chat2api.store.options import store_options


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def path(settings: Settings) -> Path:
    """The database file, ready for use."""
    prepare_store(store_options(settings), "1.0")
    return settings.data_dir / "chat2api.db"


def changed(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_before_the_first_start(settings: Settings, tmp_path: Path) -> None:
    told = f"{tmp_path / 'chat2api.db'} is made at the first start"
    assert check_database(settings) == [ok("database", told)]
    assert list(tmp_path.iterdir()) == []


def test_all_is_well(settings: Settings, path: Path) -> None:
    assert check_database(settings) == [
        ok("database", "SQLite, whole, schema 0003"),
        ok("encryption key", "opens this database"),
    ]


def test_an_empty_database(settings: Settings, tmp_path: Path) -> None:
    changed(tmp_path / "chat2api.db", "CREATE TABLE other (x)")
    told = "SQLite, whole; its tables are made at the first start"
    assert check_database(settings) == [ok("database", told)]


def test_other_schemas(settings: Settings, path: Path) -> None:
    """E10."""
    changed(path, "UPDATE alembic_version SET version_num = '9999'")
    (finding,) = check_database(settings)
    assert (finding.grade, finding.text) == (
        "fail",
        "SQLite, whole; its schema 9999 is newer than ours, 0003",
    )
    changed(path, "UPDATE alembic_version SET version_num = '0000'")
    (finding,) = check_database(settings)
    assert (finding.grade, finding.text) == (
        "warn",
        "SQLite, whole; schema 0000 is brought to 0003 at the next start",
    )


def test_another_key(settings: Settings, path: Path) -> None:
    """E11."""
    key = path.with_name("secret.key")
    key.write_text("another key of the suite")
    found = check_database(settings)
    assert [(one.grade, one.text) for one in found[1:]] == [("fail", "does not open this database")]
    key.unlink()
    found = check_database(settings)
    assert [(one.grade, one.text) for one in found[1:]] == [("fail", "is missing")]
    assert not key.exists()


def test_damage(settings: Settings, path: Path) -> None:
    path.write_bytes(b"ruins" * 1000)
    assert check_database(settings) == [
        fail(
            "database",
            f"{path} is damaged: file is not a database",
            "Restore a backup: `chat2api restore FILE`.",
        )
    ]


def test_a_database_that_is_away(tmp_path: Path) -> None:
    """E04; the password is in no finding."""
    settings = Settings(
        data_dir=tmp_path,
        database_url=Secret("postgresql://me:planted@127.0.0.1:1/x"),
        secret_key=(Secret("a secret key of the suite"),),
    )
    (finding,) = check_database(settings)
    assert finding.grade == "fail"
    assert "planted" not in repr(finding)
