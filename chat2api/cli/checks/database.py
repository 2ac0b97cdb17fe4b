"""Checks of the database: whether it answers, is whole, of this version, and opened by the key at hand.

Nothing is made or changed: a doctor that migrates is none.
"""

from __future__ import annotations

from pathlib import Path

from chat2api.cli.checks.finding import Finding, fail, ok, warn
from chat2api.errors import StorageUnavailable
from chat2api.settings.model import Settings
from chat2api.store.engine import Database
from chat2api.store.opening import KEY_FILE, KeyMismatch, StoreOptions, is_sealed, open_store
from chat2api.store.options import store_options
from chat2api.store.schema import current_revision, newest_revision
from chat2api.store.sqlite_files import troubles

_CHECK = "database"
_BACKUP_CURE = "Restore a backup: `chat2api restore FILE`."


def check_database(settings: Settings) -> list[Finding]:
    options = store_options(settings)
    if options.url.get_backend_name() == "sqlite":
        path = Path(str(options.url.database))
        if not path.exists():
            return [ok(_CHECK, f"{path} is made at the first start")]
        damage = troubles(path)
        if damage:
            return [fail(_CHECK, f"{path} is damaged: {damage[0][:200]}", _BACKUP_CURE)]
    database = Database(options.url)
    try:
        return _look(database, options)
    except StorageUnavailable as error:
        return [fail(_CHECK, error.message, "Look at DATABASE_URL, and whether it runs.")]
    finally:
        database.close()


def _look(database: Database, options: StoreOptions) -> list[Finding]:
    kind = "SQLite, whole" if database.is_sqlite else "PostgreSQL answers"
    found, newest = current_revision(database), newest_revision()
    if found is None:
        return [ok(_CHECK, f"{kind}; its tables are made at the first start")]
    if found > newest:
        cure = "Start the newer version that wrote it, or restore a backup from before it."
        return [fail(_CHECK, f"{kind}; its schema {found} is newer than ours, {newest}", cure)]
    if found < newest:
        text = f"{kind}; schema {found} is brought to {newest} at the next start"
        return [warn(_CHECK, text, "Make a backup before: `chat2api backup FILE`.")]
    return [ok(_CHECK, f"{kind}, schema {found}"), *_key(database, options)]


def _key(database: Database, options: StoreOptions) -> list[Finding]:
    check = "encryption key"
    if not is_sealed(database):
        return [ok(check, "is chosen at the first start")]
    cure = f"Set SECRET_KEY to the key of this database, or put its {KEY_FILE} into DATA_DIR."
    if not options.keys and not (options.data_dir / KEY_FILE).exists():
        return [fail(check, "is missing", cure)]
    try:
        open_store(options).close()
    except KeyMismatch:
        return [fail(check, "does not open this database", cure)]
    return [ok(check, "opens this database")]
