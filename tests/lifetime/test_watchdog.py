"""The one thread that looks at everything that waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from chat2api.lifetime.watchdog import Watchdog


class Entry:
    """Notes the times it was looked at."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.seen: list[float] = []
        self.ticked = threading.Event()
        self._then = then

    def tick(self, now: float) -> None:
        self.seen.append(now)
        self.ticked.set()
        self._then()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    dog = Watchdog(interval_seconds=0.01)
    yield dog
    dog.stop()


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watchdog"]


def test_a_pass_tells_every_entry_the_time() -> None:
    dog = Watchdog(interval_seconds=3600, clock=lambda: 42.0)
    one, two = Entry(), Entry()
    dog.add(one)
    dog.add(two)
    dog.tick()
    assert (one.seen, two.seen) == ([42.0], [42.0])


def test_an_entry_is_looked_at_again_and_again_until_it_is_removed(watchdog: Watchdog) -> None:
    entry, other = Entry(), Entry()
    watchdog.add(entry)
    assert entry.ticked.wait(5)
    entry.ticked.clear()
    assert entry.ticked.wait(5)
    watchdog.remove(entry)
    watchdog.add(other)
    assert other.ticked.wait(5)
    seen = len(entry.seen)
    other.ticked.clear()
    assert other.ticked.wait(5)
    assert len(entry.seen) == seen


def test_the_thread_starts_with_the_first_entry_and_there_is_one(watchdog: Watchdog) -> None:
    before = len(watchers())
    watchdog.add(Entry())
    watchdog.add(Entry())
    assert len(watchers()) == before + 1


def test_it_wakes_from_its_sleep_for_a_new_entry(watchdog: Watchdog) -> None:
    first, second = Entry(), Entry()
    watchdog.add(first)
    assert first.ticked.wait(5)
    watchdog.remove(first)
    watchdog.add(second)
    assert second.ticked.wait(5)


def test_a_bad_entry_does_not_stop_the_watch_over_the_others(
    watchdog: Watchdog, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("broken entry")

    good = Entry()
    with caplog.at_level(logging.ERROR):
        watchdog.add(Entry(fail))
        watchdog.add(good)
        assert good.ticked.wait(5)
        good.ticked.clear()
        assert good.ticked.wait(5)
    assert "watchdog entry failed" in caplog.text


def test_an_entry_may_remove_itself(watchdog: Watchdog) -> None:
    entry = Entry(lambda: watchdog.remove(entry))
    watchdog.add(entry)
    assert entry.ticked.wait(5)
    watchdog.tick()
    assert len(entry.seen) == 1


def test_removing_what_was_never_added(watchdog: Watchdog) -> None:
    watchdog.remove(Entry())


def test_stop_ends_the_thread() -> None:
    dog = Watchdog(interval_seconds=0.01)
    before = len(watchers())
    entry = Entry()
    dog.add(entry)
    assert entry.ticked.wait(5)
    dog.stop()
    assert len(watchers()) == before
    dog.add(Entry())
    assert len(watchers()) == before
