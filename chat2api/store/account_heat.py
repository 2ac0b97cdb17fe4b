"""How often accounts were tried and how that went, in slots of five minutes: a day at a glance."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select

from chat2api.store.desk_tables import account_heat
from chat2api.store.opening import Store
from chat2api.store.upserts import add_up

SLOT_SECONDS = 300
KEPT_DAYS = 2

_h = account_heat.c


class AccountHeat:
    """A slot is counted since the epoch. Every method raises StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, tried: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """By account id and slot: how many attempts went well, how many did not."""
        rows = [
            {"account_id": account_id, "slot": slot, "good": good, "bad": bad}
            for (account_id, slot), (good, bad) in tried.items()
        ]
        if rows:
            self._store.database.write(
                lambda connection: add_up(connection, account_heat, rows), wait_seconds=2.0
            )

    def of(self, account_id: str, since_slot: int) -> dict[int, tuple[int, int]]:
        """Slot -> (good, bad), in order; slots without attempts are left out."""
        query = (
            select(_h.slot, _h.good, _h.bad)
            .where(_h.account_id == account_id, _h.slot >= since_slot)
            .order_by(_h.slot)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return {row.slot: (row.good, row.bad) for row in rows}

    def prune(self) -> int:
        """Forget what is older than two days; how many rows went."""
        oldest = slot_of(self._store.now()) - KEPT_DAYS * 86_400 // SLOT_SECONDS
        return self._store.database.write(
            lambda connection: (
                connection.execute(delete(account_heat).where(_h.slot < oldest)).rowcount
            )
        )


def slot_of(at: float) -> int:
    """The slot of a time in epoch seconds."""
    return int(at // SLOT_SECONDS)
