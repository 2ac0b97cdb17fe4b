"""What keys have used: exactly as much as they may, however many ask at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from chat2api.store.key_usage import (
    DAY_KEPT_SECONDS,
    HOLD_SECONDS,
    Count,
    Day,
    Hold,
    KeyUsage,
    RequestsSpent,
    Spent,
    Taken,
    TokensSpent,
)
from chat2api.store.tables import key_usage


@pytest.fixture
def usage(key_store: Any) -> KeyUsage:
    return KeyUsage(key_store)


@pytest.fixture
def today(key_store: Any) -> Day:
    return Day("day:2025-06-15", key_store.now() + 40_000)


def refused(ask: Callable[[], object]) -> Count:
    with pytest.raises(Spent) as caught:
        ask()
    return caught.value.count


def at_once(count: int, ask: Callable[[], object]) -> list[object]:
    """What so many threads got that ask at the same moment; the kind of refusal where they got none."""
    got: list[object] = []
    barrier = threading.Barrier(count, timeout=20)

    def run() -> None:
        barrier.wait()
        try:
            got.append(ask())
        except Spent as spent:
            got.append(type(spent))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == count
    return got


# --- requests of a minute


def test_a_minute_counts_down(usage: KeyUsage, key_store: Any) -> None:
    key_store.clock.at = 600.0 + 12
    counts = [usage.take_request("k", 3, 1.0) for _ in range(3)]
    assert counts == [Count(3, left, 660.0) for left in (2, 1, 0)]
    assert refused(lambda: usage.take_request("k", 3, 1.0)) == Count(3, 0, 660.0)
    assert usage.take_request("other", 3, 1.0).left == 2
    key_store.clock.at = 660.0
    assert usage.take_request("k", 3, 1.0) == Count(3, 2, 720.0)


def test_exactly_as_many_pass_as_may(usage: KeyUsage) -> None:
    """G06: of 50 at once, 10."""
    got = at_once(50, lambda: usage.take_request("k", 10, 30.0))
    assert got.count(RequestsSpent) == 40
    assert sorted(one.left for one in got if isinstance(one, Count)) == list(range(10))


# --- tokens of a day


def test_tokens_are_set_aside_and_settled(usage: KeyUsage, today: Day, key_store: Any) -> None:
    taken = usage.take("k", None, 100, 30, today)
    hold = Hold(taken.hold.hold_id, "k", today, 30, key_store.now() + HOLD_SECONDS)
    assert taken == Taken(None, Count(100, 70, today.ends_at), hold)
    assert usage.take("k", None, 100, 30, today).tokens.left == 40
    usage.settle(hold, 5)
    assert usage.used_today("k", today) == 5
    assert usage.take("k", None, 100, 1, today).tokens.left == 64


def test_several_keys_at_once(usage: KeyUsage, today: Day) -> None:
    for key_id, used in (("a", 5), ("b", 7), ("c", 9)):
        usage.settle(usage.take(key_id, None, 100, 30, today).hold, used)
    assert usage.all_used_today(["a", "b", "x"], today) == {"a": 5, "b": 7}
    assert usage.all_used_today(["a"], Day("day:2025-06-16", today.ends_at)) == {}


def test_one_unit_lets_one_through(usage: KeyUsage, today: Day) -> None:
    """G06: of 50 at once against one unit, exactly 1."""
    got = at_once(50, lambda: usage.take("k", None, 1, 500, today))
    assert got.count(TokensSpent) == 49
    (passed,) = [one for one in got if isinstance(one, Taken)]
    assert (passed.hold.tokens, passed.tokens.left) == (1, 0)


def test_what_is_set_aside_never_exceeds_the_budget(usage: KeyUsage, today: Day) -> None:
    got = at_once(20, lambda: usage.take("k", None, 100, 30, today))
    held = sorted(one.hold.tokens for one in got if isinstance(one, Taken))
    assert held == [10, 30, 30, 30]


def test_more_than_the_budget_is_never_less_than_nothing(usage: KeyUsage, today: Day) -> None:
    taken = usage.take("k", None, 10, 10, today)
    usage.settle(taken.hold, 25)
    assert usage.used_today("k", today) == 25
    assert refused(lambda: usage.take("k", None, 10, 1, today)) == Count(10, 0, today.ends_at)


def test_a_hold_is_settled_once(usage: KeyUsage, today: Day) -> None:
    hold = usage.take("k", None, 100, 30, today).hold
    for _ in range(3):
        usage.settle(hold, 7)
    assert usage.used_today("k", today) == 7


def test_a_request_that_came_to_nothing_costs_nothing(usage: KeyUsage, today: Day) -> None:
    usage.settle(usage.take("k", None, 100, 30, today).hold, 0)
    assert usage.take("k", None, 100, 1, today).tokens.left == 99


def test_what_a_killed_process_held_comes_back(usage: KeyUsage, today: Day, key_store: Any) -> None:
    hold = usage.take("k", None, 100, 100, today).hold
    key_store.clock.at += HOLD_SECONDS
    assert usage.take("k", None, 100, 40, today).hold.tokens == 40
    usage.settle(hold, 20)  # it was only slow: what it used is owed
    assert usage.used_today("k", today) == 20


def test_the_day_after_begins_anew(usage: KeyUsage, today: Day, key_store: Any) -> None:
    tomorrow = Day("day:2025-06-16", today.ends_at + 86_400)
    key_store.clock.at = today.ends_at - 1
    over_midnight = usage.take("k", None, 100, 100, today).hold
    key_store.clock.at = today.ends_at
    assert usage.take("k", None, 100, 10, tomorrow).tokens.left == 90
    usage.settle(over_midnight, 50)
    assert (usage.used_today("k", today), usage.used_today("k", tomorrow)) == (50, 0)


def test_both_limits_or_none(usage: KeyUsage, today: Day) -> None:
    """A request that the budget refuses does not count as one of the minute."""
    taken = usage.take("k", 2, 10, 10, today)
    assert taken.requests is not None
    assert taken.requests.left == 1
    with pytest.raises(TokensSpent):
        usage.take("k", 2, 10, 1, today)
    usage.settle(taken.hold, 1)
    assert usage.take("k", 2, 10, 1, today).requests == Count(2, 0, taken.requests.resets_at)
    with pytest.raises(RequestsSpent):
        usage.take("k", 2, 10, 1, today)


# --- what stays


def test_minutes_that_ended_are_forgotten(usage: KeyUsage, key_store: Any) -> None:
    key_store.clock.at = 600.0
    usage.take_request("k", 5, 1.0)
    key_store.clock.at = 660.0
    usage.take_request("k", 5, 1.0)
    assert usage.take_request("k", 5, 1.0).left == 3
    held = key_store.database.read(
        lambda connection: connection.execute(select(key_usage.c.bucket)).scalars().all()
    )
    assert held == ["minute:11"]


def test_days_are_kept_a_while(usage: KeyUsage, today: Day, key_store: Any) -> None:
    usage.take("k", 5, 100, 1, today)
    key_store.clock.at = today.ends_at + DAY_KEPT_SECONDS
    assert usage.prune() == 2  # the minute and the hold
    key_store.clock.at += 1
    assert (usage.prune(), usage.prune()) == (1, 0)
