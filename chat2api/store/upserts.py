"""Rows that are sums: added to what is there, or written new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert


def add_up(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add every column of `rows` that is no key to the row with the same key. A key comes once in them.

    In the order of the keys: two processes that did this in different orders could wait for each other.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    insert = sqlite_insert if connection.dialect.name == "sqlite" else postgres_insert
    new = insert(table)
    sums = {name: table.c[name] + new.excluded[name] for name in rows[0] if name not in keys}
    statement = new.on_conflict_do_update(index_elements=keys, set_=sums)
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in keys))
    connection.execute(statement, [dict(row) for row in ordered])
