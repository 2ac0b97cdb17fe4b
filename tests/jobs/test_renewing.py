"""Renewing ahead of the end: at a pace, to the last one, whatever one of them does."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.jobs.renewing import Pace, Renewing, Tally, renew_due
from chat2api.lifetime.call import Call
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_book import AccountBook
from chat2api.store.credentials import Credentials
from chat2api.store.intake import Intake
from chat2api.store.opening import Store


class FakeRenewals:
    """Renews all but those named in `errors`; `meanwhile` runs in each."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.asked: list[tuple[str, int, bool]] = []
        self.calls: list[Call] = []
        self.running = self.most = 0
        self.meanwhile: Any = lambda: None
        self._lock = threading.Lock()

    def renewed(self, name: str, version: int, call: Call, *, forced: bool = False) -> None:
        with self._lock:
            self.asked.append((name, version, forced))
            self.calls.append(call)
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            self.meanwhile()
            if name in self.errors:
                raise self.errors[name]
        finally:
            with self._lock:
                self.running -= 1


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def renewals() -> Any:
    return FakeRenewals()


FAST = Pace(parallel=1, per_second=1000.0)
DUE = [(f"cred_{number}", number) for number in range(6)]


def test_all_are_renewed_in_order(renewals: Any) -> None:
    told: list[Tally] = []
    tally = Renewing(renewals, FAST).run(DUE, tell=told.append)
    assert tally == Tally(renewed=6)
    assert renewals.asked == [(name, version, False) for name, version in DUE]
    assert [one.total for one in told] == [1, 2, 3, 4, 5, 6]


def test_an_operator_may_insist(renewals: Any) -> None:
    Renewing(renewals, FAST).run(DUE[:1], forced=True)
    assert renewals.asked == [("cred_0", 0, True)]


def test_one_that_fails_in_whatever_way_does_not_stop_the_others(
    renewals: Any, caplog: pytest.LogCaptureFixture
) -> None:
    renewals.errors = {
        "cred_0": CredentialDead("refused"),
        "cred_1": RenewalFailed("503"),
        "cred_2": StorageUnavailable("busy"),
        "cred_3": ZeroDivisionError("boom"),
    }
    assert Renewing(renewals, FAST).run(DUE) == Tally(renewed=2, refused=1, failed=3)
    assert caplog.messages == [
        "a renewal could not be made: storage_unavailable",
        "a renewal failed unexpectedly",
    ]


def test_the_pace(renewals: Any) -> None:
    time = Time()
    renewing = Renewing(renewals, Pace(1, per_second=2.0), time.clock, time.sleep)
    renewing.run(DUE[:4])
    assert time.slept == [0.5, 0.5, 0.5]
    time.now += 100
    renewing.run(DUE[:2])  # a rest is not made up for
    assert time.slept == [0.5, 0.5, 0.5, 0.5]


def test_a_few_at_once(renewals: Any) -> None:
    together = threading.Barrier(3)
    renewals.meanwhile = lambda: together.wait(10)
    assert Renewing(renewals, Pace(3, 1000.0)).run(DUE).renewed == 6
    assert renewals.most == 3


@pytest.mark.parametrize("how", ["stop", "is_over"])
def test_it_stops_between_two(renewals: Any, how: str) -> None:
    over = threading.Event()
    renewing = Renewing(renewals, FAST, is_over=over.is_set)
    renewals.meanwhile = renewing.stop if how == "stop" else over.set
    assert renewing.run(DUE) == Tally(renewed=1)
    assert len(renewals.asked) == 1


def test_each_has_a_limit_of_its_own(renewals: Any) -> None:
    Renewing(renewals, FAST).run(DUE[:2])
    assert all(0 < call.remaining() <= 60 for call in renewals.calls)
    assert len(set(map(id, renewals.calls))) == 2


# --- the timer's run


@pytest.fixture
def credentials(key_store: Store) -> Credentials:
    many = [NewAccount(refresh_token=Secret(f"rt_{number:0>24}")) for number in range(20)]
    Intake(key_store).add(many, "test")  # without access tokens: due at once
    return Credentials(key_store, "worker")


def test_as_many_as_fit_into_the_interval(
    renewals: Any, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    pace = Pace(2, per_second=2.0)
    renewing = Renewing(renewals, FAST)
    with caplog.at_level(logging.INFO):
        assert renew_due(credentials, renewing, pace, 5.0).renewed == 10
    assert caplog.messages == ["renewals"]
    assert renew_due(credentials, renewing, Pace(2, 0.01), 5.0).renewed == 1


def test_nothing_due_says_nothing(
    renewals: Any, credentials: Credentials, caplog: pytest.LogCaptureFixture
) -> None:
    credentials.make_all_due(1e9, 1e-9)
    with caplog.at_level(logging.INFO):
        for name, _ in credentials.due(1):
            credentials.claim(name, 1)
        assert renew_due(credentials, Renewing(renewals, FAST), FAST, 5.0) == Tally()
    assert caplog.messages == []


def test_paused_and_cooling_accounts_are_renewed_as_well(
    renewals: Any, credentials: Credentials, key_store: Store
) -> None:
    """C13: ready the moment they are used again; removed ones are not."""
    book = AccountBook(key_store)
    names = [row.account_id for row in book.everything()]
    book.pause(names[:5])
    book.remove(names[5:10])
    assert renew_due(credentials, Renewing(renewals, FAST), FAST, 5.0).renewed == 15
