"""Alembic's entry. Runs inside a transaction that `store.schema` began; it commits, or nothing happened."""

from __future__ import annotations

from alembic import context

from chat2api.store import api_tables, desk_tables, tables

assert api_tables.metadata is desk_tables.metadata is tables.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
