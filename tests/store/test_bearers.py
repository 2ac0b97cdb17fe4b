"""Refresh tokens that callers bring as their key (C22, C23)."""

from __future__ import annotations

import threading

from chat2api.pool.values import Grant, NewAccount, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.bearers import NEVER_WORKED_SECONDS, bearer_id
from chat2api.store.credentials import Credentials, Dead, Renewed
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import DAY, NOW, Clock, access, refresh, rows


def test_an_id_says_nothing(store: Store) -> None:
    one, other = (bearer_id(Secret(text), store.vault) for text in ("rt_planted", "rt_other"))
    assert one != other
    assert len(one) == 47
    assert "planted" not in one


def test_fifty_requests_share_one_credential(store: Store) -> None:
    token, found = refresh(), []
    credentials = Credentials(store, "w")
    threads = [
        threading.Thread(target=lambda: found.append(credentials.of_bearer(token)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    name = bearer_id(token, store.vault)
    assert found == [StoredCredential(name, 1, None, token, subject=name)] * 8
    (row,) = rows(store, tables.credentials)
    assert (row["owner"], row["used_at"], row["next_refresh_at"]) == ("bearer", NOW, None)
    assert rows(store, tables.accounts) == []
    assert AccountBook(store).everything() == []
    answers = [credentials.claim(name, 0) for _ in range(2)]
    assert sorted(type(one).__name__ for one in answers) == ["Busy", "RenewalClaim"]


def test_the_original_goes_on_working_after_it_was_renewed(store: Store, now: Clock) -> None:
    credentials, token = Credentials(store, "w"), refresh()
    name = credentials.of_bearer(token).credential_id
    claim = credentials.claim(name, 0)
    assert isinstance(claim, RenewalClaim)
    given = Grant(access("ann"), refresh(), None, NOW + DAY)
    stored = credentials.save(claim, given)
    for later in (0.0, 60.0, 7200.0):
        now.at += later
        assert credentials.of_bearer(token) == stored
    assert isinstance(credentials.claim(name, 1), Renewed)
    assert credentials.due(10) == credentials.renewable() == []


def test_a_token_of_the_pool_is_nobodys_key(store: Store, intake: Intake) -> None:
    """Exchanged a second time it would cost the account."""
    credentials, token = Credentials(store, "w"), refresh()
    intake.add([NewAccount(refresh_token=token)], "test")
    found = credentials.of_bearer(token)
    assert (found.access_token, found.refresh_token) == (None, None)
    assert isinstance(credentials.claim(found.credential_id, -1), Dead)
    assert len(rows(store, tables.credentials)) == 1


def test_what_nobody_uses_is_forgotten(store: Store, now: Clock) -> None:
    credentials = Credentials(store, "w")
    old, young = refresh(), refresh()
    credentials.of_bearer(old)
    credentials.of_bearer(young)
    now.at += DAY
    credentials.of_bearer(young)
    now.at += 1
    assert credentials.forget_bearers(DAY) == 1
    (row,) = rows(store, tables.credentials)
    assert row["credential_id"] == bearer_id(young, store.vault)


def test_what_never_worked_is_forgotten_within_the_hour(store: Store, now: Clock) -> None:
    """Anybody may send what looks like a token."""
    credentials = Credentials(store, "w")
    tokens = {name: refresh() for name in ("untried", "refused", "unsure", "good")}
    ids = {name: credentials.of_bearer(token).credential_id for name, token in tokens.items()}
    claims = {name: credentials.claim(ids[name], 0) for name in ("refused", "unsure", "good")}
    for claim in claims.values():
        assert isinstance(claim, RenewalClaim)
        match claim.stored.credential_id:
            case name if name == ids["refused"]:
                assert credentials.refuse(claim, "no", access_refused=False)
            case name if name == ids["unsure"]:
                credentials.postpone(claim, "cut", unsure=True)
            case _:
                credentials.save(claim, Grant(access("ann"), refresh(), None, NOW + DAY))
    now.at += NEVER_WORKED_SECONDS
    assert credentials.forget_bearers(DAY) == 0
    now.at += 1
    assert credentials.forget_bearers(DAY) == 2
    left = {row["credential_id"] for row in rows(store, tables.credentials)}
    assert left == {ids["unsure"], ids["good"]}
