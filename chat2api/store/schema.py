"""Brings the database to this version's schema: once, whole or not at all, with a backup before.

However many processes start at the same moment, one migrates and the others wait for it.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from chat2api.errors import StorageUnavailable
from chat2api.store import tables
from chat2api.store.engine import Database

log = logging.getLogger(__name__)

_SCRIPTS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x63683261  # any number, the same for all our servers
_WAIT_SECONDS = 120.0
_KEPT_BACKUPS = 3
VERSION_NAME = "app_version"


class NewerSchema(Exception):
    """The database was written by a newer version; the text names both."""


def migrate(database: Database, *, version: str, backups: Path) -> bool:
    """Bring the schema up to date; returns whether there was anything to do.

    Raises NewerSchema, and StorageUnavailable when the database cannot be written.
    """
    if current_revision(database) == newest_revision():
        return False
    return database.write(
        lambda connection: _migrate(database, connection, version, backups),
        durable=True,
        wait_seconds=_WAIT_SECONDS,
    )


def check_schema(database: Database) -> None:
    """Raises StorageUnavailable unless the schema is this version's; for processes that do not migrate."""
    if current_revision(database) != newest_revision():
        raise StorageUnavailable("The database is not at this version's schema.")


def known_revisions() -> list[str]:
    """This version's, oldest first: each file of the folder begins with its own."""
    return sorted(path.name.partition("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def newest_revision() -> str:
    return known_revisions()[-1]


def current_revision(database: Database) -> str | None:
    return database.read(_revision)


def _revision(connection: Connection) -> str | None:
    """What Alembic notes; read without it, since every process asks and next to none migrates."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar()
    return revision


def _migrate(database: Database, connection: Connection, version: str, backups: Path) -> bool:
    if not database.is_sqlite:
        connection.execute(text(f"SET LOCAL statement_timeout = '{_WAIT_SECONDS:.0f}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    before = _revision(connection)  # again: another process may have done it meanwhile
    if before == newest_revision():
        return False
    if before is not None:
        _refuse_newer(connection, before, version)
        if database.is_sqlite:
            _back_up(database, backups, before)
    _upgrade(connection)
    _note_version(connection, version)
    log.info("database schema brought up to date", extra={"before": before or "-"})
    return True


def _refuse_newer(connection: Connection, revision: str, version: str) -> None:
    if revision in known_revisions():
        return
    wrote = _written_by(connection) or "an unknown version"
    raise NewerSchema(
        f"the database was written by chat2api {wrote} (schema {revision}), and this is {version}: "
        "start the newer version, or restore the backup from before its first start"
    )


def _written_by(connection: Connection) -> str | None:
    query = select(tables.meta.c.value).where(tables.meta.c.name == VERSION_NAME)
    try:
        return connection.execute(query).scalar()
    except SQLAlchemyError:
        return None


def _upgrade(connection: Connection) -> None:
    # Here and not above: it takes a quarter of a second to import.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _note_version(connection: Connection, version: str) -> None:
    connection.execute(tables.meta.delete().where(tables.meta.c.name == VERSION_NAME))
    connection.execute(tables.meta.insert().values(name=VERSION_NAME, value=version))


# --- copies


def _back_up(database: Database, folder: Path, revision: str) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"before-{revision}-{stamp}.db"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy_sqlite(Path(str(database.url.database)), folder / name)
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(
            f"No copy of the database could be made before changing it ({error}); nothing was changed."
        ) from None
    kept = sorted(folder.glob("before-*.db"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-_KEPT_BACKUPS]:
        old.unlink(missing_ok=True)


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy, also while others write; readable by the owner only. Whole, or not there.

    Raises OSError, sqlite3.Error.
    """
    aside = target.with_name(f".{target.name}")
    aside.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(source, timeout=5)) as live,
            closing(sqlite3.connect(aside)) as copy,
        ):
            live.backup(copy)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def has_tables(database: Database) -> bool:
    """Whether anything of ours is there yet."""
    return database.read(lambda connection: bool(inspect(connection).get_table_names()))


def wait_for(
    database: Database, seconds: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Until the database answers; pauses grow. Raises StorageUnavailable after `seconds`.

    A file answers at once or not at all.
    """
    end = time.monotonic() + (0.0 if database.is_sqlite else seconds)
    pause = 0.5
    while True:
        try:
            database.read(lambda connection: connection.execute(text("SELECT 1")).scalar())
            return
        except StorageUnavailable:
            if time.monotonic() + pause > end:
                raise
        log.info("waiting for the database")
        sleep(pause)
        pause = min(pause * 2, 8.0)
