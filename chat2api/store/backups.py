"""When the last backup of the embedded database was made, as a fact in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from chat2api.store.opening import Store
from chat2api.store.tables import meta

_NAME = "last_backup_at"
_WAIT_SECONDS = 2.0


def note_backup(path: Path, at: float) -> bool:
    """Whether it could be noted; nothing depends on it. Needs no key: a backup is made without one."""
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection, connection:
            connection.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (_NAME, f"{at:.0f}"),
            )
    except sqlite3.Error:
        return False
    return True


class Backups:
    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def are_ours(self) -> bool:
        """Whether our command makes them; a PostgreSQL server has its own ways."""
        return self._store.database.is_sqlite

    def last(self) -> float | None:
        """Epoch seconds; None where none was made. Raises StorageUnavailable."""
        query = select(meta.c.value).where(meta.c.name == _NAME)
        value = self._store.database.read(lambda connection: connection.execute(query).scalar())
        try:
            return None if value is None else float(value)
        except ValueError:
            return None
