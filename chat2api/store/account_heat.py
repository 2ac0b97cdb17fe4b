"""How often accounts were tried and how that went, in slots of five minutes: a day at a glance."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sqlalchemy import delete, func, select

from chat2api.store.desk_tables import account_heat
from chat2api.store.opening import Store
from chat2api.store.upserts import add_up

SLOT_SECONDS = 300
KEPT_DAYS = 2
# Thousands of accounts may have been tried in each.
_SLOTS_AT_ONCE = 2
_MOST_SWEEPS = 1_000
_BREATH_SECONDS = 0.02

_h = account_heat.c


class AccountHeat:
    """A slot is counted since the epoch. Every method raises StorageUnavailable."""

    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe

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
        """Forget what is older than two days; how many rows went.

        A few slots at a time, for others want to write too; what is left over is done the next time.
        """
        oldest = slot_of(self._store.now()) - KEPT_DAYS * 86_400 // SLOT_SECONDS
        total = 0
        for _ in range(_MOST_SWEEPS):
            first = self._store.database.read(
                lambda connection: connection.execute(select(func.min(_h.slot))).scalar()
            )
            if first is None or first >= oldest:
                break
            gone = delete(account_heat).where(_h.slot < min(first + _SLOTS_AT_ONCE, oldest))
            total += self._store.database.write(
                lambda connection, gone=gone: connection.execute(gone).rowcount  # type: ignore[misc]
            )
            self._breathe(_BREATH_SECONDS)
        return total


def slot_of(at: float) -> int:
    """The slot of a time in epoch seconds."""
    return int(at // SLOT_SECONDS)
