"""What is put off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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


def test_several_put_the_same_off_at_once(store: Store) -> None:
    reminders = Reminders(store)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: reminders.put_off("a", 100.0), range(40)))
    assert reminders.resting() == {"a"}
