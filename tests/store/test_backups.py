"""When the last backup was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chat2api.store import tables
from chat2api.store.backups import Backups, note_backup
from chat2api.store.opening import Store

from .handed import Place


def test_a_backup_is_remembered_in_the_database(sqlite_place: Place, sqlite_store: Store) -> None:
    backups = Backups(sqlite_store)
    assert backups.are_ours
    assert backups.last() is None
    path = Path(sqlite_place.url.removeprefix("sqlite:///"))
    assert note_backup(path, 1000.4)
    assert note_backup(path, 2000.0)
    assert backups.last() == 2000.0


def test_what_cannot_be_noted_or_read_is_no_failure(tmp_path: Path, sqlite_store: Store) -> None:
    assert not note_backup(tmp_path / "nothing" / "here.db", 1.0)
    sqlite_store.database.write(
        lambda c: c.execute(tables.meta.insert().values(name="last_backup_at", value="x"))
    )
    assert Backups(sqlite_store).last() is None


def test_postgresql_has_its_own_ways(postgres_store: Any) -> None:
    assert not Backups(postgres_store).are_ours
