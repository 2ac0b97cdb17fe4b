"""A day of an account in slots of five minutes."""

from __future__ import annotations

from chat2api.store.account_heat import AccountHeat, slot_of
from chat2api.store.opening import Store

from .handed import NOW, Clock

SLOT = slot_of(NOW)


def test_attempts_add_up(store: Store) -> None:
    heat = AccountHeat(store)
    heat.add({("a", SLOT): (2, 1), ("b", SLOT): (1, 0)})
    heat.add({("a", SLOT): (1, 3), ("a", SLOT - 1): (0, 1)})
    heat.add({})
    assert heat.of("a", SLOT - 1) == {SLOT - 1: (0, 1), SLOT: (3, 4)}
    assert heat.of("a", SLOT) == {SLOT: (3, 4)}
    assert heat.of("nobody", 0) == {}


def test_two_days_are_kept(store: Store, now: Clock) -> None:
    heat = AccountHeat(store)
    heat.add({("a", SLOT): (1, 0), ("a", SLOT - 576): (1, 0), ("a", SLOT - 577): (1, 0)})
    assert heat.prune() == 1
    assert list(heat.of("a", 0)) == [SLOT - 576, SLOT]


def test_a_long_time_is_forgotten_in_small_steps(store: Store, now: Clock) -> None:
    pauses: list[float] = []
    heat = AccountHeat(store, pauses.append)
    heat.add({("a", SLOT - 600 - number): (1, 0) for number in range(6)} | {("a", SLOT): (1, 0)})
    assert heat.prune() == 6
    assert len(pauses) == 3
    assert list(heat.of("a", 0)) == [SLOT]
