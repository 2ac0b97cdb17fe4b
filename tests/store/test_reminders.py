"""What is put off."""

from __future__ import annotations

from chat2api.store.opening import Store
from chat2api.store.reminders import Reminders

from .handed import Clock


def test_what_is_put_off_comes_back(store: Store, now: Clock) -> None:
    reminders = Reminders(store)
    assert reminders.resting() == frozenset()
    reminders.put_off("a", 100.0)
    reminders.put_off("b", 300.0)
    assert reminders.resting() == {"a", "b"}
    now.at += 100.0
    assert reminders.resting() == {"b"}
    reminders.put_off("b", 300.0)
    now.at += 250.0
    assert reminders.resting() == {"b"}
