"""What of an account that is handed in again is new."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.claims import Claims
from chat2api.pool.identity import claims_of
from chat2api.pool.values import NewAccount
from chat2api.store.news import Batch, News
from chat2api.store.vault import Vault

from .handed import DAY, KEY, NOW, access, refresh

VAULT = Vault([KEY], b"pepper")
NEWS = News(VAULT, 600.0)


def row(**more: Any) -> dict[str, Any]:
    """An account and its credential, with an access token that works."""
    return {
        "account_id": "acc_1", "identity": "user:1", "credential_id": "cred_1", "needs_login": False,
        "limited": False, "removed_at": None, "pooled": True, "label": "ann@example.com",
        "plan": "plus", "note": "", "user_id": "user-ann", "look": "{}", "proxy": None,
        "workspace_id": None, "access_token": VAULT.seal(access()), "expires_at": NOW + 10 * DAY,
        "refresh_token": None, "refresh_hash": None, "dead_hash": None, "client_id": "", "version": 1,
    } | more  # fmt: skip


def changes(before: dict[str, Any], new: NewAccount) -> tuple[dict[str, Any], dict[str, Any]]:
    return NEWS.changes(Batch(NOW), before, new, claims_of(new.access_token, new.id_token))


def test_nothing() -> None:
    token = access()
    before = row(access_token=VAULT.seal(token))
    assert changes(before, NewAccount(access_token=token)) == ({}, {})


@pytest.mark.parametrize(
    ("stored", "given", "newer"),
    [
        (NOW + DAY, NOW + 2 * DAY, True),
        (NOW + 2 * DAY, NOW + DAY, False),
        (NOW - DAY, None, True),  # the stored one has ended
        (NOW + DAY, None, False),
        (None, NOW + DAY, False),
        (None, None, False),
    ],
)
def test_which_access_token_is_better(
    stored: float | None, given: float | None, newer: bool
) -> None:
    _, on_credential = changes(row(expires_at=stored), NewAccount(access_token=access(ends=given)))
    assert bool(on_credential) is newer


def test_one_that_needs_a_login_takes_any_that_works() -> None:
    before = row(needs_login=True)
    on_account, on_credential = changes(before, NewAccount(access_token=access(ends=None)))
    assert on_account == {
        "needs_login": False, "reason": "", "reason_at": None, "cooling_until": 0.0,
    }  # fmt: skip
    assert on_credential["version"] == 2
    ended = NewAccount(access_token=access(ends=NOW - DAY))
    assert changes(before, ended) == ({}, {})


def test_a_damaged_token_is_replaced() -> None:
    token = access()
    _, on_credential = changes(row(access_token="damaged"), NewAccount(access_token=token))
    assert on_credential == {}  # it may be as good as this one: nobody can tell
    _, on_credential = changes(
        row(access_token="damaged"), NewAccount(access_token=access(ends=NOW + 20 * DAY))
    )
    assert on_credential["version"] == 2


def test_a_new_refresh_token_takes_over() -> None:
    token, batch = refresh(), Batch(NOW)
    before = row(refresh_token="sealed old", refresh_hash="old", dead_hash="old", client_id="app")
    found = NEWS.tokens(batch, before, NewAccount(refresh_token=token), Claims())
    assert VAULT.open(found.pop("refresh_token")) == token
    due = found.pop("next_refresh_at")
    assert NOW + 5 * DAY - 600 <= due <= NOW + 5 * DAY
    assert found == {
        "refresh_hash": VAULT.hash(token.reveal()), "previous_refresh_token": "sealed old",
        "client_id": "app", "dead_hash": None, "failures": 0, "refresh_error": "", "sent_at": None,
        "version": 2,
    }  # fmt: skip
    assert batch.new_tokens == [
        {"token_hash": VAULT.hash(token.reveal()), "credential_id": "cred_1", "seen_at": NOW}
    ]
    assert NEWS.tokens(batch, before, NewAccount(refresh_token=token), Claims()) == {}


def test_rows_are_found_by_all_their_names_and_kept_once() -> None:
    batch, one = Batch(NOW), row()
    batch.remember(one)
    batch.remember(dict(one))
    batch.remember(row(identity="user:2"))
    assert {key: len(rows) for key, rows in batch.by_credential.items()} == {"cred_1": 2}
    assert batch.by_identity["user:1"] is one
