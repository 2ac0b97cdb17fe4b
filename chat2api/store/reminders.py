"""What the operator wants to hear of later, not now."""

from __future__ import annotations

from sqlalchemy import Connection, select

from chat2api.store.desk_tables import reminders
from chat2api.store.engine import insert_new
from chat2api.store.opening import Store

_r = reminders.c


class Reminders:
    """Every method raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put_off(self, name: str, seconds: float) -> None:
        now = self._store.now()

        def work(connection: Connection) -> None:
            connection.execute(reminders.delete().where((_r.name == name) | (_r.until <= now)))
            # Somebody may do the same at this moment.
            insert_new(connection, reminders, {"name": name, "until": now + seconds})

        self._store.database.write(work)

    def resting(self) -> frozenset[str]:
        """The names that are put off now."""
        query = select(_r.name).where(_r.until > self._store.now())
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return frozenset(row.name for row in rows)
