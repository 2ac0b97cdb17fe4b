"""A token that works for whoever is about to act, or the reason why there is none."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import (
    Blame,
    StorageUnavailable,
    Unauthorized,
    UpstreamAuthFailed,
    UpstreamRenewalFailed,
)
from chat2api.pool.values import Account, Credential, Renewal
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.service.fresh import FreshTokens
from chat2api.store import tables

from .test_renewal import NoWrites

Depot = Any
BROUGHT = Secret("rt_brought000000000000000")


def tokens(depot: Depot) -> FreshTokens:
    """Anew each time: as another process has them."""
    return FreshTokens(depot.renewals(), depot.credentials, depot.store.now)


def leased(depot: Depot, account_id: str) -> Account:
    """As the pool hands it out."""
    stored = depot.stored(account_id)
    renewal = Renewal(
        stored.credential_id,
        stored.version,
        stored.refresh_token is not None,
        stored.expires_at,
        stored.access_token is not None,
    )
    credential = Credential(account_id, stored.access_token, "team")
    return Account(account_id, "chatgpt", credential, Secret("http://own.test:1"), renewal)


@pytest.mark.parametrize(("left", "exchanges"), [(61, 0), (60, 1), (-10, 1)])
def test_a_token_is_renewed_before_it_is_used_when_it_has_ended(
    depot: Depot, left: int, exchanges: int
) -> None:
    """C12; one that ends within the minute would not last."""
    old = Secret(depot.jwt(expires_at=depot.clock.at + left))
    account = leased(depot, depot.add(access_token=old))
    fresh = tokens(depot).of(account, depot.call)
    assert len(depot.provider.presented) == exchanges
    if not exchanges:
        assert fresh is account
        return
    access = depot.grant(1).access_token
    renewal = Renewal(account.renewal.credential_id, 2, True, depot.clock.at + 86_400)
    credential = Credential(account.account_id, access, "team")
    assert fresh == replace(account, credential=credential, renewal=renewal)


def test_a_token_that_does_not_tell_its_end_is_used(depot: Depot) -> None:
    account = leased(depot, depot.add(access_token=Secret("fk-opaque-token")))
    assert tokens(depot).of(account, depot.call) is account
    bare = replace(account, renewal=None)
    assert tokens(depot).of(bare, depot.call) is bare
    assert tokens(depot).again(bare, depot.call) is None


def test_an_account_with_a_refresh_token_only(depot: Depot) -> None:
    account = leased(depot, depot.add(access_token=None))
    assert tokens(depot).of(account, depot.call).credential.access_token == (
        depot.grant(1).access_token
    )
    assert tokens(depot).of(account, depot.call).renewal.version == 2  # type: ignore[union-attr]
    assert len(depot.provider.presented) == 1


def test_a_refused_token_is_renewed_once_for_all(depot: Depot) -> None:
    """A01: a parallel request does not renew a second time."""
    good = Secret(depot.jwt(expires_at=depot.clock.at + 9000))
    account = leased(depot, depot.add(access_token=good))
    first, second = (tokens(depot).again(account, depot.call) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.credential.access_token == depot.grant(1).access_token
    assert len(depot.provider.presented) == 1


def test_a_token_just_renewed_is_not_renewed_for_the_next_refusal(depot: Depot) -> None:
    good = Secret(depot.jwt(expires_at=depot.clock.at + 9000))
    name = depot.add(access_token=good)
    old, fresh = leased(depot, name), tokens(depot)
    first = fresh.again(old, depot.call)
    assert first is not None
    assert fresh.again(first, depot.call) is None
    assert fresh.again(old, depot.call) == first  # who still has the old one is given the new
    assert len(depot.provider.presented) == 1
    depot.clock.at += 61
    later = fresh.again(first, depot.call)
    assert later is not None
    assert len(depot.provider.presented) == 2


def test_without_a_refresh_token_there_is_no_other(depot: Depot) -> None:
    """A04: no exchange is attempted."""
    account = leased(depot, depot.add(refresh_token=None))
    assert tokens(depot).again(account, depot.call) is None
    with pytest.raises(UpstreamAuthFailed, match="there is no refresh token"):
        tokens(depot).of(account, depot.call)
    assert depot.provider.presented == []


def test_what_is_told_of_a_dead_account(depot: Depot) -> None:
    account = leased(depot, depot.add())
    depot.provider.answers = [RefreshRefused("refresh_token_expired")]
    with pytest.raises(UpstreamAuthFailed) as failed:
        tokens(depot).of(account, depot.call)
    assert failed.value.message == (
        "The account needs a new login: the renewal was refused: refresh_token_expired."
    )
    assert failed.value.blame is Blame.NONE  # the store knows already
    assert depot.state(account.account_id)[0] == "needs_login"


@pytest.mark.parametrize(("refused", "blame"), [(False, Blame.NONE), (True, Blame.TRANSIENT)])
def test_what_is_told_when_it_cannot_be_renewed_now(
    depot: Depot, refused: bool, blame: Blame
) -> None:
    """Where the upstream refuses a token that has not ended, only we know that it is of no use."""
    account = leased(depot, depot.add())
    depot.provider.answers = [RefreshFailed("the token endpoint answered 503")]
    with pytest.raises(UpstreamRenewalFailed) as failed:
        (tokens(depot).again if refused else tokens(depot).of)(account, depot.call)
    error = failed.value
    assert (error.status, error.blame) == (502, blame)
    assert error.message == (
        "The account's token could not be renewed: the token endpoint answered 503."
    )
    assert error.retry_after is not None
    assert error.retry_after >= 30


# --- tokens that callers bring


def test_fifty_callers_with_one_refresh_token(depot: Depot) -> None:
    """C23: one exchange; the original goes on working while what it gave is kept."""
    all_here = threading.Barrier(50)
    processes = [tokens(depot), tokens(depot)]

    def ask(number: int) -> Account:
        all_here.wait(10)
        return processes[number % 2].of_bearer(BROUGHT, None, depot.call)

    with ThreadPoolExecutor(50) as threads:
        given = list(threads.map(ask, range(50)))
    assert depot.provider.presented == [BROUGHT.reveal()]
    assert {one.credential.access_token for one in given} == {depot.grant(1).access_token}
    again = tokens(depot).of_bearer(BROUGHT, None, depot.call)
    assert again == given[0]
    depot.clock.at += 90_000  # the access token has ended; the rotated refresh token is used
    renewed = tokens(depot).of_bearer(BROUGHT, None, depot.call)
    assert renewed.credential.access_token == depot.grant(2).access_token
    assert depot.provider.presented[1:] == [f"rt_{1:0>24}"]


def test_a_brought_token_is_never_the_pools(depot: Depot) -> None:
    """C22: neither leased, nor listed, nor renewed by the schedule; and sealed where it is kept."""
    account = tokens(depot).of_bearer(BROUGHT, "team", depot.call)
    assert account.credential.workspace_id == "team"
    assert depot.pool().is_empty()
    depot.clock.at += 500_000
    assert depot.credentials.due(10) == depot.credentials.renewable() == []
    assert depot.credentials.make_all_due(600, 1) == 0
    rows = depot.store.database.read(lambda c: c.execute(tables.credentials.select()).all())
    assert BROUGHT.reveal() not in repr(rows)


def test_workspaces_share_the_one_exchange(depot: Depot) -> None:
    """The token is single-use: a second exchange of it would cost the login."""
    one, other = (tokens(depot).of_bearer(BROUGHT, team, depot.call) for team in ("a", "b"))
    assert depot.provider.presented == [BROUGHT.reveal()]
    assert one.credential.access_token == other.credential.access_token
    assert [one.credential.workspace_id, other.credential.workspace_id] == ["a", "b"]
    assert one.credential.subject != other.credential.subject


def test_a_dead_brought_token_is_the_callers_401(depot: Depot) -> None:
    depot.provider.answers = [RefreshRefused("invalid_grant")]
    for _ in range(2):
        with pytest.raises(Unauthorized) as refused:
            tokens(depot).of_bearer(BROUGHT, None, depot.call)
        assert refused.value.message == "The upstream refused this refresh token."
    assert len(depot.provider.presented) == 1
    depot.provider.answers = [RefreshFailed("503")]
    with pytest.raises(UpstreamRenewalFailed):
        tokens(depot).of_bearer(Secret("rt_another00000000000000"), None, depot.call)


def test_nothing_can_be_brought_without_a_database(depot: Depot, outage: Any) -> None:
    outage.is_away = True
    with pytest.raises(StorageUnavailable):
        tokens(depot).of_bearer(BROUGHT, None, depot.call)


# --- tokens that wait for the database (C05)


def test_one_that_is_damaged_does_not_keep_the_others_waiting(depot: Depot) -> None:
    """E14"""
    writable = depot.credentials
    depot.credentials = NoWrites(depot)
    for name in "abc":
        access = Secret(depot.jwt(name, expires_at=1.0))
        account = depot.add(access_token=access, refresh_token=Secret(f"rt_{name:0>24}"))
        depot.renewals().renewed(depot.credential_of(account), 1, depot.call)
    depot.credentials = writable
    first = depot.escrow.waiting()[0]
    damage = tables.credentials.update().where(tables.credentials.c.credential_id == first)
    depot.store.database.write(lambda c: c.execute(damage.values(id_token="nokey:planted")))
    assert depot.renewals().store_escrow() == 2
    assert depot.escrow.waiting() == [first]
