"""The migrations make these tables, and what is asked often is found by an index."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, event, inspect

from chat2api.store import tables
from chat2api.store.credentials import Credentials
from chat2api.store.opening import Store
from chat2api.store.picking import Picker, PickOptions

from .handed import NEED, NOW


def test_the_migrations_give_exactly_these(store: Store) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": False}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, tables.metadata))

    assert store.database.read(differences) == []


def test_defaults_are_those_of_the_tables(store: Store) -> None:
    def work(connection: Connection) -> dict[str, Any]:
        connection.execute(tables.credentials.insert().values(credential_id="cred_1"))
        row = {"account_id": "a", "identity": "i", "credential_id": "cred_1"}
        connection.execute(tables.accounts.insert().values(row))
        return dict(connection.execute(tables.accounts.select()).one()._mapping)

    row = store.database.write(work)
    flags = ("pooled", "paused", "needs_login", "limited", "selectable")
    assert {name: row[name] for name in flags} == {
        "pooled": True,
        "paused": False,
        "needs_login": False,
        "limited": False,
        "selectable": True,
    }
    assert (row["provider"], row["look"], row["turn"], row["cooling_until"]) == (
        "chatgpt", "{}", 0, 0.0,
    )  # fmt: skip


def test_names_of_constraints_are_known(store: Store) -> None:
    """A later migration must be able to name what it changes."""
    found = store.database.read(
        lambda connection: [
            (name, inspect(connection).get_pk_constraint(name)["name"])
            for name in tables.metadata.tables
        ]
    )
    assert found == [(name, f"pk_{name}") for name in tables.metadata.tables]


# --- no scans at a hundred thousand accounts (D18)


def plan(store: Store, sql: str, parameters: Any) -> str:
    rows = store.database.read(
        lambda connection: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
    )
    return "; ".join(row[3] for row in rows)


def hot_statements(store: Store, *, at_random: bool) -> list[Any]:
    picker = Picker(
        store.database.engine.dialect, "w", PickOptions(at_random=at_random), store.vault
    )
    orders = list(picker._hot_orders)
    return [*orders, picker._wake, picker._take, picker._free, picker._release, picker._lease]


@pytest.mark.parametrize("at_random", [True, False])
def test_a_turn_scans_nothing(sqlite_store: Store, at_random: bool) -> None:
    values = {
        "provider": NEED.provider, "model": NEED.model, "now": NOW, "most": 10, "dice": 0.5,
        "the_id": "a", "new_dice": 0.5, "lease_id": "l", "the_lease": "l", "account_id": "a",
        "worker_id": "w", "only": "a",
    }  # fmt: skip
    for hot in hot_statements(sqlite_store, at_random=at_random):
        given = {**hot._fixed, **values}
        found = plan(sqlite_store, hot._sql, tuple(given[name] for name in hot._names))
        assert "SCAN" not in found
        assert "TEMP B-TREE" not in found


def test_looking_for_what_is_due_goes_by_an_index(sqlite_store: Store) -> None:
    asked: list[str] = []
    connect = sqlite_store.database.engine.connect

    def spy(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        asked.append(sql)

    event.listen(sqlite_store.database.engine, "before_cursor_execute", spy)
    Credentials(sqlite_store, "w").due(10)
    event.remove(sqlite_store.database.engine, "before_cursor_execute", spy)
    with connect() as connection:
        found = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {asked[0]}", (NOW, NOW, 10, 0)
        ).all()
    details = [row[3] for row in found]
    assert details[0] == (
        "SEARCH credentials USING INDEX ix_credentials_next_refresh_at (next_refresh_at<?)"
    )
    assert not any("SCAN" in detail or "TEMP" in detail for detail in details)


def test_rows_that_others_hang_on_are_found_by_an_index(store: Store) -> None:
    def work(connection: Connection) -> set[tuple[str, tuple[Any, ...]]]:
        seen = inspect(connection)
        return {
            (table, tuple(index["column_names"]))
            for table in ("accounts", "known_tokens", "conversations")
            for index in seen.get_indexes(table)
        }

    assert {
        ("accounts", ("credential_id",)),
        ("accounts", ("wake_at",)),
        ("known_tokens", ("credential_id",)),
        ("conversations", ("account_id",)),
    } <= store.database.read(work)
