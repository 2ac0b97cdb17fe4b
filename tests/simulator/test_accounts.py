"""Accounts and the access tokens that open them."""

from __future__ import annotations

from chat2api.simulator.accounts import Accounts, Session, demo_accounts, make_account
from chat2api.simulator.quotas import Quota

NOW = 1_800_000_000.0


def test_the_demo_has_a_paid_and_a_free_account() -> None:
    plus, free = demo_accounts(NOW)
    assert (plus.persona, len(plus.workspaces)) == ("chatgpt-paid", 2)
    assert (free.persona, len(free.workspaces)) == ("chatgpt-freeaccount", 1)
    assert plus.person.account_id == plus.workspaces[0]


def test_an_account_with_everything() -> None:
    quota = Quota(3)
    ann = make_account(
        "ann",
        workspaces=("w1", "w2"),
        now=NOW,
        lifetime_seconds=600,
        first_seconds=-60,
        client_id="app_X",
        quota=quota,
        deactivated=True,
    )
    assert (ann.expires_at, ann.lifetime_seconds, ann.quota) == (NOW - 60, 600, quota)
    assert (ann.client_id, ann.deactivated) == ("app_X", ("w1", "w2"))
    assert make_account("bob", deactivated=["w9"], now=NOW).deactivated == ("w9",)


def test_an_account_takes_the_place_of_its_namesake() -> None:
    old, new = make_account("ann", now=NOW), make_account("ann", plan="free", now=NOW)
    accounts = Accounts([old])
    accounts.add(new)
    assert accounts.all() == (new,)
    assert accounts.find(old.token) is None
    assert accounts.label(new.token) == "ann"
    assert accounts.label(old.token).startswith("unknown:")


def test_older_access_tokens_stay_good_until_their_own_end() -> None:
    old = make_account("ann", now=NOW, lifetime_seconds=100)
    accounts = Accounts([old])
    new = accounts.renew("ann", NOW + 50, 100, ends_older=False)
    assert new is not None
    assert accounts.all() == (new,)
    assert accounts.find(old.token) is new
    assert accounts.session(old.token) == Session("ann", NOW + 100)
    assert accounts.session(new.token) == Session("ann", NOW + 150)
    accounts.expire("ann", NOW + 120)
    assert accounts.session(old.token) == Session("ann", NOW + 100)
    assert accounts.session(new.token) == Session("ann", NOW + 120)
    assert accounts.all()[0].expires_at == NOW + 120


def test_older_access_tokens_may_end_with_a_refresh() -> None:
    old = make_account("ann", now=NOW)
    accounts = Accounts([old])
    new = accounts.renew("ann", NOW, 60, ends_older=True)
    assert new is not None
    assert accounts.session(old.token) == Session("ann", old.expires_at, revoked=True)
    assert accounts.session(new.token) == Session("ann", NOW + 60)
    accounts.revoke("ann")
    assert accounts.session(new.token) == Session("ann", NOW + 60, revoked=True)


def test_strangers_have_no_session() -> None:
    accounts = Accounts([])
    assert accounts.session("x") is None
    assert accounts.named("ann") is None
    assert accounts.renew("ann", NOW, 60, ends_older=True) is None
