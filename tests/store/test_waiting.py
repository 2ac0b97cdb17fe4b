"""The line of those who wait: first come, first served, and nobody is forgotten in it (A26)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chat2api.errors import ClientGone, NoAccountAvailable, Overloaded, PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Account, Credential, Lease, Need
from chat2api.store.waiting import WaitingLine

from .conftest import settled
from .handed import NEED


class Counter:
    """Gives so many leases, one after the other, and takes them back."""

    def __init__(self, **given: Any) -> None:
        self.free = 0
        self.error: PoolError | None = None
        self.back: list[str] = []
        self.asked: list[Need] = []
        self._lock = threading.Lock()
        limits = {"seconds": 5.0, "length": 100} | given
        self.line = WaitingLine(self.take, lambda need: self.error, self.give_back, **limits)

    def take(self, need: Need) -> Lease | None:
        with self._lock:
            self.asked.append(need)
            if self.free == 0:
                return None
            self.free -= 1
            return Lease(f"lease-{len(self.asked)}", Account("a", "p", Credential("a", None)))

    def give_back(self, lease: Lease) -> None:
        with self._lock:
            self.free += 1
            self.back.append(lease.lease_id)


class Guest(threading.Thread):
    def __init__(self, counter: Counter, need: Need = NEED) -> None:
        super().__init__(daemon=True)
        self.counter, self.need = counter, need
        self.call = Call(math.inf)
        self.got: Any = None
        self.start()
        settled(lambda: self.got is not None or len(self.call._hooks) > 0)

    def run(self) -> None:
        try:
            self.got = self.counter.line.wait(self.need, self.call)
        except Exception as error:
            self.got = error

    def served(self) -> Any:
        self.join(5)
        assert not self.is_alive()
        return self.got


@pytest.fixture
def counter() -> Iterator[Counter]:
    made = Counter()
    yield made
    assert made.line.is_empty


def give(counter: Counter, number: int) -> None:
    counter.free += number
    counter.line.serve()


def test_in_the_order_they_came(counter: Counter) -> None:
    guests = [Guest(counter) for _ in range(4)]
    for index in range(4):
        give(counter, 1)
        assert isinstance(guests[index].served(), Lease)
        assert [guest.got for guest in guests[index + 1 :]] == [None] * (3 - index)


def test_one_look_for_all_who_need_the_same(counter: Counter) -> None:
    guests = [Guest(counter) for _ in range(3)] + [Guest(counter, Need("p", "other"))]
    counter.asked.clear()
    counter.line.serve()
    assert set(counter.asked) == {NEED, Need("p", "other")}
    assert len(counter.asked) <= 4  # one for each need; the head of the line looks by itself too
    give(counter, 4)
    assert [type(guest.served()) for guest in guests] == [Lease] * 4


def test_a_slot_that_nobody_told_of_is_found(counter: Counter) -> None:
    """Another process gave it back."""
    guest = Guest(counter)
    counter.free = 1
    assert isinstance(guest.served(), Lease)


def test_a_hopeless_wait_ends(counter: Counter) -> None:
    guests = [Guest(counter) for _ in range(2)]
    counter.error = NoAccountAvailable("nobody")
    counter.line.serve()
    assert [guest.served() for guest in guests] == [counter.error] * 2


def test_a_failing_store_ends_the_wait(counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    guest, gone = Guest(counter), NoAccountAvailable("away")

    def fail(need: Need) -> None:
        raise gone

    monkeypatch.setattr(counter.line, "_take", fail)
    counter.line.serve()
    assert guest.served() is gone


def test_the_longest_wait() -> None:
    counter = Counter(seconds=0.02)
    with pytest.raises(Overloaded, match="too long"):
        counter.line.wait(NEED, Call(math.inf))
    counter.line.adopt(60.0, 0)
    with pytest.raises(Overloaded, match="Too many"):
        counter.line.wait(NEED, Call(math.inf))
    counter.line.adopt(60.0, 1)
    with pytest.raises(Overloaded, match="too long"):
        counter.line.wait(NEED, Call(time.monotonic() + 0.02))


def test_slow_looks_count_as_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded by the clock, not by a number of looks."""
    at = 0.0

    def monotonic() -> float:
        return at

    counter = Counter(seconds=30.0)
    monkeypatch.setattr("chat2api.store.waiting.time.monotonic", monotonic)
    looks: list[Need] = []

    def slow(need: Need) -> None:
        nonlocal at
        looks.append(need)
        at += 12.0

    monkeypatch.setattr(counter.line, "_take", slow)
    with pytest.raises(Overloaded, match="too long"):
        counter.line.wait(NEED, Call(math.inf))
    assert len(looks) == 4


def test_one_who_leaves_as_he_is_served_leaves_the_slot_to_the_next(counter: Counter) -> None:
    gone = ClientGone("The caller hung up.")
    for _ in range(50):
        leaving, staying = Guest(counter), Guest(counter)
        ends = threading.Thread(target=leaving.call.cancel, args=[gone])
        ends.start()
        give(counter, 1)
        ends.join(5)
        first = leaving.served()
        if first is not gone:
            counter.give_back(first)
            counter.line.serve()
        assert isinstance(staying.served(), Lease)
        assert counter.free == 0


def test_a_server_that_is_killed_lets_the_next_serve(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = Guest(counter)

    def killed(need: Need) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(counter.line, "_take", killed)
        with pytest.raises(SystemExit):
            counter.line.serve()
    give(counter, 1)
    assert isinstance(guest.served(), Lease)


def test_no_call_to_serve_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes while another serves makes that look once more."""
    counter = Counter()
    inside, go_on = threading.Event(), threading.Event()
    take = counter.take

    def slow(need: Need) -> Lease | None:
        found = take(need)
        inside.set()
        go_on.wait(5)
        return found

    guest = Guest(counter)
    monkeypatch.setattr(counter.line, "_take", slow)
    serving = threading.Thread(target=counter.line.serve)
    serving.start()
    inside.wait(5)
    give(counter, 1)  # returns at once: the other is at it
    assert guest.got is None
    go_on.set()
    serving.join(5)
    assert isinstance(guest.served(), Lease)
