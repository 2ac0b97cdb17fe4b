"""A change of keys: what an older key sealed is sealed again with the current one, row by row."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select, update

from chat2api.store import tables
from chat2api.store.api_tables import responses
from chat2api.store.desk_tables import logins, parcels, requests
from chat2api.store.engine import Database
from chat2api.store.once import replace_file
from chat2api.store.vault import Vault, WrongKey

log = logging.getLogger(__name__)

KEY_CHECK, PEPPER = "key_check", "pepper"
_ROWS_AT_ONCE = 500
_LARGE_AT_ONCE = 20  # where one may take up megabytes
_SEALED_FILE = re.compile(r"\w+\.sealed")

_SEALED: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (tables.meta, "name", ("value",)),
    (
        tables.credentials,
        "credential_id",
        ("access_token", "refresh_token", "previous_refresh_token", "id_token"),
    ),
    (tables.accounts, "account_id", ("proxy",)),
    (tables.seeds, "seed_hash", ("seed",)),
    (parcels, "ticket_hash", ("content",)),
    (logins, "login_id", ("secret",)),
)
_SEALED_FACTS = (KEY_CHECK, PEPPER)


def reseal(database: Database, vault: Vault) -> int:
    """Seal again, with the first key, what an older one sealed; returns how many texts.

    In small transactions: an interruption leaves both keys in use, and the next start goes on. The key
    check is changed last, so that the old key is asked for until all is done.
    """
    changed = 0
    if _is_changed(database, vault):  # to look for them means reading everything that is kept
        changed += _reseal_column(database, vault, requests, "record_id", "content")
        changed += _reseal_column(
            database, vault, responses, "response_id", "content", _LARGE_AT_ONCE
        )
    changed += sum(
        _reseal_column(database, vault, table, key, column)
        for table, key, columns in reversed(_SEALED)
        for column in columns
    )
    if changed:
        log.info("sealed anew with the current key", extra={"texts": changed})
    return changed


def _is_changed(database: Database, vault: Vault) -> bool:
    """Whether the key check was sealed with another key than the first."""
    query = select(tables.meta.c.value).where(tables.meta.c.name == KEY_CHECK)
    sealed = database.read(lambda connection: connection.execute(query).scalar())
    return sealed is not None and not vault.is_current(sealed)


def _reseal_column(
    database: Database,
    vault: Vault,
    table: Table,
    key: str,
    column: str,
    at_once: int | None = None,
) -> int:
    text, key_column = table.c[column], table.c[key]
    stale = (
        select(key_column, text)
        .where(text.is_not(None), ~text.startswith(f"{vault.key_id}:", autoescape=True))
        .order_by(key_column)
        .limit(at_once or _ROWS_AT_ONCE)
    )
    if table is tables.meta:
        stale = stale.where(key_column.in_(_SEALED_FACTS))
    changed = 0
    last: Any = None

    def one_page(connection: Connection) -> tuple[int, Any]:
        further = stale if last is None else stale.where(key_column > last)
        rows = connection.execute(further).all()
        done = 0
        for name, sealed in rows:
            fresh = _sealed_anew(vault, sealed, table.name)
            if fresh is not None:
                connection.execute(
                    update(table).where(key_column == name, text == sealed).values({column: fresh})
                )
                done += 1
        return done, rows[-1][0] if rows else None

    while True:
        count, end = database.write(one_page, durable=True)
        changed += count
        if end is None:
            return changed
        last = end


def _sealed_anew(vault: Vault, sealed: str, where: str) -> str | None:
    """None for a damaged text, which must not keep the server from starting (fault matrix E14)."""
    try:
        return vault.seal_pieces(vault.open_pieces(sealed))
    except WrongKey as error:
        log.error("a sealed text cannot be opened", extra={"table": where, "reason": str(error)})
        return None


def reseal_files(folder: Path, vault: Vault) -> int:
    """The same for sealed files; returns how many. One that cannot be written keeps its old key."""
    try:
        paths = sorted(path for path in folder.iterdir() if _SEALED_FILE.fullmatch(path.name))
        return sum(_reseal_file(path, vault) for path in paths)
    except FileNotFoundError:
        return 0
    except OSError as error:
        log.error("sealed files keep their old key", extra={"reason": error.strerror})
        return 0


def _reseal_file(path: Path, vault: Vault) -> bool:
    sealed = path.read_text("ascii", "replace")
    if vault.is_current(sealed):
        return False
    fresh = _sealed_anew(vault, sealed, path.parent.name)
    if fresh is not None:
        replace_file(path, fresh.encode("ascii"))
    return fresh is not None
