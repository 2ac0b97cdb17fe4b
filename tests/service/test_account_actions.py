"""What the operator does to accounts: to which, how many, what is told, and when it becomes a job."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable, UpstreamTimeout
from chat2api.lifetime.call import Call
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.account_actions import CHANGES, AccountActions, Done, Failed
from chat2api.service.checks import CheckResult
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_book import AccountBook
from chat2api.store.account_edits import AccountEdits
from chat2api.store.account_events import AccountEvents
from chat2api.store.intake import Intake
from chat2api.store.labels import Labels
from chat2api.store.opening import Store


class Checks:
    """Answers "ok" but where it is told otherwise."""

    def __init__(self) -> None:
        self.results: dict[str, CheckResult] = {}
        self.asked: list[str] = []

    def check(self, account_id: str, call: Call, actor: str = "") -> CheckResult:
        self.asked.append(account_id)
        return self.results.get(account_id, CheckResult("ok"))


class Renewer:
    def __init__(self) -> None:
        self.errors: list[Exception | None] = []
        self.forced: list[bool] = []

    def renewed(
        self, credential_id: str, seen_version: int, call: Call, *, forced: bool = False
    ) -> None:
        self.forced.append(forced)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error


class Jobs:
    def __init__(self) -> None:
        self.made: list[tuple[str, str, list[tuple[str, str]]]] = []

    def create(self, kind: str, actor: str, items: Sequence[tuple[str, str]]) -> str:
        self.made.append((kind, actor, list(items)))
        return f"job_{len(self.made)}"


class Shop:
    def __init__(self, store: Store) -> None:
        self.store, self.book = store, AccountBook(store)
        self.checks, self.renewer, self.jobs = Checks(), Renewer(), Jobs()
        self.events = AccountEvents(store)
        checks: Any = self.checks
        self.actions = AccountActions(
            self.book,
            AccountEdits(store),
            Labels(store),
            checks,
            self.renewer,
            self.events,
            self.jobs,
        )
        self._numbers = itertools.count()

    def add(self, count: int) -> list[str]:
        new = [
            NewAccount(refresh_token=Secret(f"rt_{next(self._numbers):040}"), email=f"u{n}@x.org")
            for n in range(count)
        ]
        return [one.account_id for one in Intake(self.store).add(new, "test")]

    def kinds(self, account_id: str) -> list[str]:
        return [event.kind for event in self.events.of(account_id)]


@pytest.fixture
def shop(key_store: Store) -> Shop:
    return Shop(key_store)


def test_a_handful_is_checked_at_once(shop: Shop) -> None:
    ids = shop.add(3)
    shop.checks.results = {
        ids[1]: CheckResult("refused", "It was refused."),
        ids[2]: CheckResult("recovered"),
    }
    done = shop.actions.check([*ids, ids[0]], "bearer")
    assert done == Done((ids[0], ids[2]), (Failed(ids[1], "It was refused."),))
    assert sorted(shop.checks.asked) == sorted(ids)


def test_many_become_a_job(shop: Shop) -> None:
    ids = shop.add(21)
    shop.book.remove(ids[:1])
    for kind, act in (("check", shop.actions.check), ("renew", shop.actions.renew)):
        done = act(ids, "session x")
        assert done.job_id
        made_kind, actor, items = shop.jobs.made[-1]
        assert (made_kind, actor) == (kind, "session x")
        assert [target for target, _ in items] == ids[1:]
        assert items[0][1] == "u1@x.org"
    assert shop.checks.asked == []


def test_renewing_says_which_failed(shop: Shop) -> None:
    ids = shop.add(1)
    outcomes: list[Exception | None] = [
        None,
        CredentialDead("the renewal was refused"),
        RenewalFailed("another process is still renewing it"),
        UpstreamTimeout("It took too long."),
        StorageUnavailable("The database does not answer."),
    ]
    reasons = []
    for outcome in outcomes:
        shop.renewer.errors = [outcome]
        done = shop.actions.renew(ids, "bearer")
        reasons.append(done.failed[0].reason if done.failed else "")
    assert reasons == [
        "", "the renewal was refused", "another process is still renewing it", "It took too long.",
        "The database does not answer.",
    ]  # fmt: skip
    assert all(shop.renewer.forced)
    assert shop.actions.renew(["nobody"], "bearer").failed[0].account_id == "nobody"


def test_pausing_and_resuming_tell_only_what_changed(shop: Shop) -> None:
    ids = shop.add(3)
    shop.book.pause(ids[:1])
    assert shop.actions.change("pause", [*ids, "nobody", ids[2]], "bearer") == Done(
        (ids[1], ids[2])
    )
    assert shop.actions.change("pause", ids, "bearer") == Done()
    assert shop.actions.change("resume", ids[:2], "bearer") == Done((ids[0], ids[1]))
    assert [shop.kinds(one) for one in ids] == [["resumed"], ["resumed", "paused"], ["paused"]]


def test_removing_restoring_and_forgetting(shop: Shop) -> None:
    ids = shop.add(3)
    assert shop.actions.change("remove", ids[:2], "bearer").done == (ids[0], ids[1])
    assert shop.actions.change("lift", ids, "bearer").done == (ids[2],)
    assert shop.actions.change("restore", ids, "bearer").done == (ids[0], ids[1])
    assert shop.kinds(ids[0]) == ["restored", "removed"]
    shop.actions.change("remove", ids[:1], "bearer")
    assert shop.actions.change("forget", ids[:2], "bearer").done == (ids[0], ids[1])
    assert [shop.book.find(one) is None for one in ids] == [True, True, False]
    assert shop.book.removed() == []


def test_nothing_to_do_touches_nothing(shop: Shop) -> None:
    for change in CHANGES:
        assert shop.actions.change(change, ["nobody"], "bearer") == Done()
    assert shop.actions.check([], "bearer") == Done()
