"""An SQLite database as files: looked at without changing it, put in place of another, kept aside."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat2api.store.once import sync_folder
from chat2api.store.schema import copy_sqlite

_BUSY_SECONDS = 5.0
_BESIDE = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Present:
    """What a database holds that must not be lost by accident. `servers`: processes that use it now.

    `schema` is empty where there are no tables of ours.
    """

    schema: str = ""
    accounts: int = 0
    servers: int = 0
    is_readable: bool = True


def look(path: Path, now: float) -> Present:
    """What is there; a database that cannot be read counts as such. `now` in epoch seconds."""
    if not path.exists() or not path.stat().st_size:
        return Present()
    try:
        with closing(_read_only(path)) as connection:
            schema = _first(connection, "SELECT version_num FROM alembic_version")
            accounts = _first(connection, "SELECT count(*) FROM accounts WHERE removed_at IS NULL")
            servers = _first(connection, "SELECT count(*) FROM workers WHERE expires_at > ?", now)
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return Present()
        return Present(is_readable=False)
    except sqlite3.DatabaseError:
        return Present(is_readable=False)
    return Present(str(schema), int(accounts), int(servers))


def troubles(path: Path) -> list[str]:
    """What SQLite's own check finds; nothing when all is well. The words are SQLite's."""
    try:
        with closing(_read_only(path)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [] if found == ["ok"] else found


class CopyFailed(Exception):
    """SQLite could not copy or rewrite a file; the words are SQLite's."""


def copy_whole(source: Path, target: Path) -> None:
    """A consistent copy in one file, also while others write. Raises CopyFailed, OSError."""
    try:
        copy_sqlite(source, target)
    except sqlite3.Error as error:
        raise CopyFailed(str(error)) from None
    make_single_file(target)


def make_single_file(path: Path) -> None:
    """Everything in the one file, nothing beside it; nobody else has it open. Raises CopyFailed."""
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise CopyFailed(str(error)) from None


def put_in_place(fresh: Path, path: Path) -> Path | None:
    """`fresh`, a single file, in place of the database at `path`; where the old one is kept, if any.

    Raises OSError.
    """
    kept = _free_name(path) if path.exists() else None
    if kept is not None:
        # What has not reached the old file yet goes with it: beside the new one it would ruin that.
        for ending in (*_BESIDE, ""):
            if (part := Path(f"{path}{ending}")).exists():
                os.replace(part, f"{kept}{ending}")
    os.replace(fresh, path)
    sync_folder(path.parent)
    return kept


def _free_name(path: Path) -> Path:
    first = Path(f"{path}.before-restore")
    number, name = 2, first
    while name.exists():
        name = Path(f"{first}.{number}")
        number += 1
    return name


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)


def _first(connection: sqlite3.Connection, query: str, *values: float) -> Any:
    row = connection.execute(query, values).fetchone()
    return "" if row is None else row[0]
