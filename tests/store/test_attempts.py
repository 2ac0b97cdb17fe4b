"""Wrong secrets: who has to wait, how long, and who does not (G03)."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from chat2api.errors import TooManyLoginAttempts
from chat2api.store.attempts import FREE_FOR_ALL, TRUSTED_SECONDS, Attempts, network_of

HOME = "203.0.113.9"


@pytest.fixture
def attempts(key_store: Any) -> Attempts:
    return Attempts(key_store)


def told_to_wait(attempts: Attempts, address: str = HOME) -> float | None:
    try:
        attempts.check(address)
    except TooManyLoginAttempts as refused:
        return refused.retry_after
    return None


def fail(attempts: Attempts, address: str = HOME, times: int = 1) -> None:
    for _ in range(times):
        attempts.failed(address)


def test_the_fifth_mistake_is_one_too_many(attempts: Attempts, key_store: Any) -> None:
    fail(attempts, times=4)
    assert told_to_wait(attempts) is None
    fail(attempts)
    assert told_to_wait(attempts) == 60
    key_store.clock.at += 59.5
    assert told_to_wait(attempts) == 0.5
    key_store.clock.at += 0.5
    assert told_to_wait(attempts) is None
    assert told_to_wait(attempts, "203.0.113.10") is None


def test_waits_double_up_to_a_quarter_of_an_hour(attempts: Attempts, key_store: Any) -> None:
    fail(attempts, times=4)
    waits = []
    for _ in range(7):
        fail(attempts)
        waits.append(told_to_wait(attempts))
        key_store.clock.at += waits[-1] or 0
    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_waiting_does_not_make_it_longer(attempts: Attempts, key_store: Any) -> None:
    fail(attempts, times=5)
    key_store.clock.at += 30
    for _ in range(20):
        with pytest.raises(TooManyLoginAttempts) as refused:
            attempts.failed(HOME)
        assert refused.value.retry_after == 30
    assert told_to_wait(attempts) == 30


def test_who_has_to_wait_writes_nothing(
    attempts: Attempts, key_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(attempts, times=5)
    monkeypatch.delattr(type(key_store.database), "write")
    with pytest.raises(TooManyLoginAttempts):
        attempts.failed(HOME)


def test_mistakes_are_forgotten_after_ten_minutes(attempts: Attempts, key_store: Any) -> None:
    fail(attempts, times=4)
    key_store.clock.at += 601
    fail(attempts, times=4)
    assert told_to_wait(attempts) is None
    fail(attempts)
    key_store.clock.at += 60 + 601
    fail(attempts, times=4)
    assert told_to_wait(attempts) is None


def test_getting_in_forgives(attempts: Attempts) -> None:
    fail(attempts, times=4)
    attempts.succeeded(HOME)
    fail(attempts, times=4)
    assert told_to_wait(attempts) is None


def test_parallel_guesses_are_counted_one_by_one(attempts: Attempts) -> None:
    outcomes: list[bool] = []
    barrier = threading.Barrier(30, timeout=20)

    def guess() -> None:
        barrier.wait()
        try:
            attempts.failed(HOME)
        except TooManyLoginAttempts:
            outcomes.append(False)
        else:
            outcomes.append(True)

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(outcomes), outcomes.count(True)) == (30, 5)


def test_an_ipv6_customer_is_one_address(attempts: Attempts) -> None:
    for last in range(5):
        fail(attempts, f"2001:db8:1:2::{last:x}")
    assert told_to_wait(attempts, "2001:db8:1:2:ffff::1") == 60
    assert told_to_wait(attempts, "2001:db8:1:3::1") is None


def test_guessing_from_everywhere_gets_slow_for_strangers_only(
    attempts: Attempts, key_store: Any
) -> None:
    attempts.succeeded(HOME)
    for number in range(FREE_FOR_ALL):
        fail(attempts, f"198.51.{number // 4}.{number % 4}")
    assert told_to_wait(attempts, "192.0.2.1") == 1
    assert told_to_wait(attempts, HOME) is None
    fail(attempts)  # the operator may even mistype
    assert told_to_wait(attempts, HOME) is None


def test_nobody_is_locked_out_for_good(attempts: Attempts, key_store: Any) -> None:
    waits = []
    for number in range(FREE_FOR_ALL + 60):
        fail(attempts, f"10.{number}.0.1")
        waits.append(told_to_wait(attempts, "192.0.2.1"))
        key_store.clock.at += waits[-1] or 0
    assert waits[FREE_FOR_ALL - 2] is None
    assert waits[FREE_FOR_ALL - 1] == 1
    assert max(wait or 0 for wait in waits) == waits[-1] == 15


def test_trust_ends(attempts: Attempts, key_store: Any) -> None:
    attempts.succeeded(HOME)
    key_store.clock.at += TRUSTED_SECONDS
    for number in range(FREE_FOR_ALL):
        fail(attempts, f"198.51.{number // 4}.{number % 4}")
    assert told_to_wait(attempts) == 1


def test_purposes_are_apart_and_may_be_stricter(key_store: Any) -> None:
    strict, other = Attempts(key_store, free=2), Attempts(key_store, "site")
    fail(strict, times=2)
    assert told_to_wait(strict) == 60
    assert told_to_wait(other) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a peer", "unknown"),
    ],
)
def test_whom_an_address_stands_for(address: str, network: str) -> None:
    assert network_of(address) == network


def test_getting_in_forgives_nothing_where_there_are_many_secrets(attempts: Attempts) -> None:
    fail(attempts, times=4)
    attempts.succeeded(HOME, forgiving=False)
    fail(attempts)
    assert told_to_wait(attempts) == 60
