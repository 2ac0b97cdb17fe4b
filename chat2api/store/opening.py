"""Opening the store: the key, the schema, the check that both belong together.

`prepare_store` runs where a server starts, before its workers; `open_store` in every process.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError

from chat2api.errors import StorageUnavailable
from chat2api.lifetime.clock import SteadyClock
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.engine import Database
from chat2api.store.once import write_once
from chat2api.store.places import is_shared
from chat2api.store.rekey import KEY_CHECK, PEPPER, reseal, reseal_files
from chat2api.store.schema import current_revision, migrate, newest_revision, wait_for
from chat2api.store.vault import Vault, WrongKey, new_pepper

log = logging.getLogger(__name__)

KEY_FILE = "secret.key"
OLD_PEPPER_FILE = "pepper.key"
ESCROW_FOLDER = "escrow"
_CHECK_TEXT = Secret("chat2api")
DATABASE_WAIT_SECONDS = 60.0


class KeyMismatch(Exception):
    """The database was sealed with another key; the text tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the store is and what opens it. `keys`: the first seals, the others still open."""

    url: URL
    data_dir: Path
    keys: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """What every module of this room is given. Made once per process."""

    database: Database
    vault: Vault
    data_dir: Path
    clock: SteadyClock = field(default_factory=SteadyClock)

    def now(self) -> float:
        return self.clock.now()

    def close(self) -> None:
        self.database.close()


def prepare_store(
    options: StoreOptions, version: str, wait_seconds: float = DATABASE_WAIT_SECONDS
) -> None:
    """Wait for the database, bring it up to date, and carry a change of keys through.

    Raises KeyMismatch, NewerSchema, StorageUnavailable.
    """
    _refuse_shared_folder(options.url)
    database = Database(options.url)
    try:
        wait_for(database, wait_seconds)
        migrate(database, version=version, backups=options.data_dir / "backups")
        vault = _opened_vault(database, options)
        reseal_files(options.data_dir / ESCROW_FOLDER, vault)
        reseal(database, vault)
    finally:
        database.close()


def is_prepared(options: StoreOptions) -> bool:
    """Whether the schema is this version's. Waits for the database. Raises StorageUnavailable."""
    database = Database(options.url)
    try:
        wait_for(database, DATABASE_WAIT_SECONDS)
        return current_revision(database) == newest_revision()
    finally:
        database.close()


def open_store(options: StoreOptions) -> Store:
    """Raises KeyMismatch; StorageUnavailable when the database is away or not prepared."""
    database = Database(options.url)
    try:
        return Store(database, _opened_vault(database, options), options.data_dir)
    except BaseException:
        database.close()
        raise


def _refuse_shared_folder(url: URL) -> None:
    """SQLite's locks and shared memory do not work over a network: two servers would ruin the file."""
    if url.get_backend_name() == "sqlite" and url.database and is_shared(Path(url.database)):
        raise StorageUnavailable(
            "DATA_DIR is on a network file system, where SQLite cannot keep its file whole: "
            "use a local disk, or PostgreSQL through DATABASE_URL."
        )


# --- keys


def read_keys(options: StoreOptions) -> tuple[Secret, ...]:
    """SECRET_KEY's, then the one of the key file.

    So an operator who sets SECRET_KEY later only has to keep the file until the next start.
    """
    keys = list(options.keys)
    with suppress(OSError, UnicodeDecodeError):
        keys.append(Secret((options.data_dir / KEY_FILE).read_text("ascii").strip()))
    return tuple(dict.fromkeys(key for key in keys if key))


def _opened_vault(database: Database, options: StoreOptions) -> Vault:
    """The vault after the check that it opens this database; nothing is written with a wrong key."""
    facts = database.read(_facts)
    is_new = KEY_CHECK not in facts
    if is_new and not options.keys:
        write_once(options.data_dir / KEY_FILE, secrets.token_urlsafe(48).encode("ascii"))
    keys = read_keys(options)
    if not keys:
        raise KeyMismatch(
            f"{KEY_FILE} is missing from DATA_DIR or cannot be read, and SECRET_KEY is not set"
        )
    vault = Vault(keys)
    if is_new:
        _set_up(database, vault, options.data_dir)
        facts = database.read(_facts)
    try:
        vault.open(facts[KEY_CHECK])
        return vault.with_pepper(vault.open_bytes(facts[PEPPER]))
    except WrongKey:
        raise KeyMismatch(
            "the database was sealed with another key: set SECRET_KEY to that key, or put its "
            f"{KEY_FILE} back into DATA_DIR; nothing was changed"
        ) from None


def is_sealed(database: Database) -> bool:
    """Whether a key was chosen for it already. Makes and changes nothing; its tables must be there."""
    return KEY_CHECK in database.read(_facts)


def _facts(connection: Connection) -> dict[str, str]:
    query = select(tables.meta).where(tables.meta.c.name.in_([KEY_CHECK, PEPPER]))
    return {row.name: row.value for row in connection.execute(query)}


def _set_up(database: Database, vault: Vault, data_dir: Path) -> None:
    """The first process to come writes both facts; whoever comes second finds them."""
    pepper = _old_pepper(data_dir) or new_pepper()
    rows = [
        {"name": KEY_CHECK, "value": vault.seal(_CHECK_TEXT)},
        {"name": PEPPER, "value": vault.seal_bytes(pepper)},
    ]
    try:
        database.write(
            lambda connection: connection.execute(tables.meta.insert(), rows), durable=True
        )
    except IntegrityError:
        log.debug("another process set the store up")


def _old_pepper(data_dir: Path) -> bytes | None:
    """Of a version that kept key hashes in a file: with it the first key goes on working."""
    try:
        return (data_dir / OLD_PEPPER_FILE).read_bytes() or None
    except OSError:
        return None
