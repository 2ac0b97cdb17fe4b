"""Alembic's entry. Runs inside a transaction that `store.schema` began; it commits, or nothing happened."""

from __future__ import annotations

from alembic import context

from chat2api.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes a table by making it anew.
    render_as_batch=True,
    transactional_ddl=False,
)
context.run_migrations()
