"""What jobs do to one account."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chat2api.lifetime.call import Call
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.job_kinds import ItemDone, renewing
from chat2api.service.renewal import CredentialDead, RenewalFailed
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake


class FakeRenewals:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked: list[tuple[str, int, bool]] = []

    def renewed(self, name: str, version: int, call: Call, *, forced: bool = False) -> None:
        self.asked.append((name, version, forced))
        if self.error is not None:
            raise self.error


@pytest.fixture
def renewals() -> FakeRenewals:
    return FakeRenewals()


@pytest.fixture
def book(key_store: Any) -> AccountBook:
    return AccountBook(key_store)


def added(key_store: Any, **tokens: str) -> str:
    account = NewAccount(**{name: Secret(text) for name, text in tokens.items()})
    (result,) = Intake(key_store).add([account], "test")
    return result.account_id


def run(renewals: FakeRenewals, book: AccountBook, account_id: str) -> ItemDone:
    return renewing(renewals, book)(account_id, Call(math.inf))


def test_a_refresh_token_is_exchanged_however_fresh_the_account_is(
    renewals: FakeRenewals, book: AccountBook, key_store: Any
) -> None:
    account_id = added(key_store, refresh_token="rt_" + "a" * 40)
    credential = book.credential_of(account_id)
    assert credential is not None
    assert run(renewals, book, account_id) == ItemDone("done")
    assert renewals.asked == [(*credential, True)]


@pytest.mark.parametrize("error", [CredentialDead("refused"), RenewalFailed("refused", 5.0)])
def test_why_it_failed_is_told(
    renewals: FakeRenewals, book: AccountBook, key_store: Any, error: Exception
) -> None:
    renewals.error = error
    account_id = added(key_store, refresh_token="rt_" + "a" * 40)
    assert run(renewals, book, account_id) == ItemDone("failed", "refused")


def test_what_cannot_be_renewed_is_left_out(
    renewals: FakeRenewals, book: AccountBook, key_store: Any
) -> None:
    account_id = added(key_store, access_token="fk-" + "a" * 40)
    assert run(renewals, book, account_id) == ItemDone("skipped", "it has no refresh token")
    assert run(renewals, book, "acc_of_nobody").state == "skipped"
    book.remove([account_id])
    assert run(renewals, book, account_id).detail == "the account is not here any more"
    assert renewals.asked == []
