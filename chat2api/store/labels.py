"""What people call keys and accounts, by their ids: a few look-ups for a whole page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, select

from chat2api.store.opening import Store
from chat2api.store.tables import accounts, api_keys

_AT_ONCE = 500


class Labels:
    """Raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_accounts(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Labels of those that are there, removed ones too; without an entry where there is none."""
        return self._found(accounts.c.account_id, accounts.c.label, account_ids)

    def of_keys(self, key_ids: Iterable[str]) -> dict[str, str]:
        """Labels of keys that were made here, revoked ones too."""
        return self._found(api_keys.c.key_id, api_keys.c.label, key_ids)

    def _found(self, key: Column[Any], label: Column[Any], ids: Iterable[str]) -> dict[str, str]:
        wanted = sorted({one for one in ids if one})
        if not wanted:
            return {}

        def work(connection: Connection) -> list[tuple[str, str]]:
            parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
            queries = [select(key, label).where(key.in_(part)) for part in parts]
            return [(row[0], row[1]) for query in queries for row in connection.execute(query)]

        return {name: text for name, text in self._store.database.read(work) if text}
