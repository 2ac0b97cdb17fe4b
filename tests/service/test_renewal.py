"""One exchange per token, whoever asks; and nothing that was given is lost."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import ClientGone, StorageUnavailable
from chat2api.lifetime.call import Call
from chat2api.pool.values import Grant, RenewalClaim, StoredCredential
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.service.renewal import CredentialDead, RenewalFailed, Renewals
from chat2api.store import tables

Depot = Any
FIRST = "rt_first0000000000000000"
GONE = ClientGone("The caller hung up.")


def revealed(stored: StoredCredential) -> tuple[str | None, str | None]:
    tokens = (stored.access_token, stored.refresh_token)
    access, refresh = (None if token is None else token.reveal() for token in tokens)
    return access, refresh


def given(grant: Grant) -> tuple[str, str]:
    assert grant.access_token is not None
    assert grant.refresh_token is not None
    return grant.access_token.reveal(), grant.refresh_token.reveal()


@pytest.fixture
def nth(depot: Depot) -> Any:
    """What the exchange with a number gives."""
    return depot.grant


# --- one exchange


def test_tokens_are_renewed_and_stored(depot: Depot, nth: Any) -> None:
    account = depot.add()
    stored = depot.renewals().renewed(depot.credential_of(account), 1, depot.call)
    assert revealed(stored) == given(nth(1))
    assert (stored.version, stored.expires_at) == (2, depot.clock.at + 86_400)
    assert depot.stored(account) == stored
    assert (depot.provider.presented, depot.told) == ([FIRST], [])


def test_whoever_is_late_gets_what_is_there(depot: Depot) -> None:
    account = depot.add()
    credential = depot.credential_of(account)
    first = depot.renewals().renewed(credential, 1, depot.call)
    assert depot.renewals().renewed(credential, 1, depot.call) == first
    assert depot.provider.presented == [FIRST]
    second = depot.renewals().renewed(credential, 2, depot.call)
    assert second.version == 3


def test_forty_callers_and_one_exchange(depot: Depot) -> None:
    """C01, C03: two processes' worth of callers at the same instant."""
    credential = depot.credential_of(depot.add())
    processes = [depot.renewals(), depot.renewals()]
    all_here = threading.Barrier(40)

    def ask(number: int) -> StoredCredential:
        all_here.wait(10)
        return processes[number % 2].renewed(credential, 1, Call(depot.call.deadline))

    with ThreadPoolExecutor(40) as threads:
        stored = list(threads.map(ask, range(40)))
    assert depot.provider.presented == [FIRST]
    assert len({revealed(one) for one in stored}) == 1
    assert depot.told == []


def test_the_account_has_its_own_way_out(depot: Depot) -> None:
    depot.proxies = (Secret("http://all.test:1"),)
    own = depot.add(proxy=Secret("http://own.test:1"))
    depot.renewals().renewed(depot.credential_of(own), 1, depot.call)
    other = depot.add(
        access_token=Secret("eyJhbGciOiJ.other.x"), refresh_token=Secret("rt_other0000000000000000")
    )
    depot.renewals().renewed(depot.credential_of(other), 1, depot.call)
    proxies = [io.proxy.reveal() for io in depot.provider.ios]
    assert proxies == ["http://own.test:1", "http://all.test:1"]


def test_an_exchange_ends_before_its_claim_does(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat2api.service.renewal.EXCHANGE_SECONDS", 0.0)

    def drip() -> None:
        ended = threading.Event()
        with depot.provider.ios[-1].call.waking(ended.set):
            assert ended.wait(5)
        raise RefreshFailed(depot.provider.ios[-1].call.error.message, after_dispatch=True)

    depot.provider.meanwhile = drip
    with pytest.raises(RenewalFailed, match="took too long"):
        depot.renewals().renewed(depot.credential_of(depot.add()), 1, depot.call)


def test_a_caller_who_leaves_loses_nothing(depot: Depot, nth: Any) -> None:
    account = depot.add()
    depot.provider.meanwhile = lambda: depot.call.cancel(GONE)
    stored = depot.renewals().renewed(depot.credential_of(account), 1, depot.call)
    assert revealed(depot.stored(account)) == revealed(stored) == given(nth(1))


def test_a_caller_who_leaves_waits_no_longer_for_others(depot: Depot) -> None:
    account = depot.add()
    assert isinstance(depot.credentials.claim(depot.credential_of(account), 1), RenewalClaim)
    depot.call.cancel(GONE)
    with pytest.raises(ClientGone):
        depot.renewals().renewed(depot.credential_of(account), 1, depot.call)


def test_others_are_not_waited_for_without_end(depot: Depot) -> None:
    credential = depot.credential_of(depot.add())
    depot.credentials.claim(credential, 1)
    with pytest.raises(RenewalFailed) as failed:
        depot.renewals().renewed(credential, 1, Call(0.0))
    assert (failed.value.reason, failed.value.retry_after) == (
        "another process is still renewing it",
        5.0,
    )


# --- no, and not now


@pytest.mark.parametrize(
    ("access_refused", "ended", "state"),
    [(True, False, "needs_login"), (False, True, "needs_login"), (False, False, "active")],
)
def test_a_refused_token_is_kept_and_not_tried_again(
    depot: Depot, access_refused: bool, ended: bool, state: str
) -> None:
    """A02, C11: the account goes on while its access token lives, if that was not refused too."""
    ends = depot.clock.at + (-10 if ended else 9000)
    account = depot.add(access_token=Secret(depot.jwt(expires_at=ends)))
    credential = depot.credential_of(account)
    depot.provider.answers = [RefreshRefused("refresh_token_reused")]
    for _ in range(3):
        with pytest.raises(CredentialDead) as dead:
            depot.renewals().renewed(credential, 1, depot.call, access_refused=access_refused)
        assert dead.value.reason == "the renewal was refused: refresh_token_reused"
    assert depot.provider.presented == [FIRST]
    assert revealed(depot.stored(account))[1] == FIRST
    assert depot.state(account)[0] == state
    assert depot.told == [
        ("account_needs_login", {"account": account, "reason": "refresh_token_reused"})
    ]


def test_a_newer_token_that_came_in_meanwhile_is_not_blamed(depot: Depot) -> None:
    account = depot.add()
    depot.provider.answers = [RefreshRefused("invalid_grant")]
    newer = Secret("rt_newer000000000000000000")
    depot.provider.meanwhile = lambda: depot.add(
        access_token=Secret(depot.jwt(expires_at=depot.clock.at - 5)), refresh_token=newer
    )
    with pytest.raises(RenewalFailed, match="newer token"):
        depot.renewals().renewed(depot.credential_of(account), 1, depot.call, access_refused=True)
    assert depot.state(account) == ("active", "")
    assert depot.stored(account).refresh_token == newer
    assert depot.told == []


def test_a_failure_for_now_is_waited_out(depot: Depot) -> None:
    """C10: never marked as needing a login."""
    account = depot.add()
    credential = depot.credential_of(account)
    depot.provider.answers = [RefreshFailed("the token endpoint answered 503")]
    with pytest.raises(RenewalFailed) as failed:
        depot.renewals().renewed(credential, 1, depot.call)
    assert failed.value.reason == "the token endpoint answered 503"
    assert 30 <= failed.value.retry_after <= 37.5
    with pytest.raises(RenewalFailed) as resting:
        depot.renewals().renewed(credential, 1, depot.call)
    assert (resting.value.reason, resting.value.retry_after) == (
        failed.value.reason,
        failed.value.retry_after,
    )
    assert depot.provider.presented == [FIRST]
    assert depot.state(account)[0] == "cooling"
    depot.clock.at += 38
    depot.provider.presented.clear()
    assert depot.renewals().renewed(credential, 1, depot.call).version == 2
    assert depot.state(account) == ("active", "")


def test_an_operator_may_insist(depot: Depot) -> None:
    credential = depot.credential_of(depot.add())
    depot.provider.answers = [RefreshFailed("not now"), RefreshFailed("nor now")]
    for forced in (False, True):
        with pytest.raises(RenewalFailed):
            depot.renewals().renewed(credential, 1, depot.call, forced=forced)
    assert len(depot.provider.presented) == 2


def test_an_access_token_is_wanted(depot: Depot) -> None:
    account = depot.add()
    depot.provider.answers = [Grant(None, Secret("rt_next00000000000000000"))]
    with pytest.raises(RenewalFailed, match="gave no access token"):
        depot.renewals().renewed(depot.credential_of(account), 1, depot.call)
    assert depot.stored(account).refresh_token == Secret("rt_next00000000000000000")


def test_what_cannot_be_renewed(depot: Depot) -> None:
    plain = depot.add(refresh_token=None)
    with pytest.raises(CredentialDead, match="there is no refresh token"):
        depot.renewals().renewed(depot.credential_of(plain), 1, depot.call)
    with pytest.raises(CredentialDead, match="was removed"):
        depot.renewals().renewed("cred_0", 1, depot.call)
    assert depot.provider.presented == []


def test_damaged_tokens_are_an_end_and_no_crash(
    depot: Depot, caplog: pytest.LogCaptureFixture
) -> None:
    credential = depot.credential_of(depot.add())
    damage = tables.credentials.update().values(refresh_token="nokey:planted")
    depot.store.database.write(lambda connection: connection.execute(damage))
    with pytest.raises(CredentialDead, match="damaged"):
        depot.renewals().renewed(credential, 1, depot.call)
    assert "planted" not in caplog.text
    assert depot.provider.presented == []


def test_what_nobody_foresaw_leaves_the_claim(
    depot: Depot, caplog: pytest.LogCaptureFixture
) -> None:
    credential = depot.credential_of(depot.add())
    depot.provider.answers = [ZeroDivisionError("boom")]
    with pytest.raises(ZeroDivisionError):
        depot.renewals().renewed(credential, 1, depot.call)
    with pytest.raises(RenewalFailed, match="internal error"):
        depot.renewals().renewed(credential, 1, depot.call)
    assert "an exchange ended unexpectedly" in caplog.messages


# --- after a crash (C04)


def interrupted(depot: Depot) -> str:
    """An account whose renewal was begun by a process that died."""
    account: str = depot.add()
    credential = depot.credential_of(account)
    depot.renewals().renewed(credential, 1, depot.call)
    depot.clock.at += 90_000
    assert isinstance(depot.credentials.claim(credential, 2), RenewalClaim)
    depot.clock.at += 61
    depot.provider.presented.clear()
    return account


def test_after_a_crash_the_newest_token_is_tried(depot: Depot) -> None:
    account = interrupted(depot)
    credential = depot.credential_of(account)
    newest = revealed(depot.stored(account))[1]
    assert depot.renewals().renewed(credential, 2, depot.call).version == 3
    assert depot.provider.presented == [newest]
    assert depot.told == [("renewal_interrupted", {"credential": credential})]


def test_and_the_one_before_it_as_a_last_resort(depot: Depot) -> None:
    account = interrupted(depot)
    newest = revealed(depot.stored(account))[1]
    depot.provider.answers = [RefreshRefused("refresh_token_reused")]
    assert depot.renewals().renewed(depot.credential_of(account), 2, depot.call).version == 3
    assert depot.provider.presented == [newest, FIRST]


def test_and_then_it_is_told_what_happened(depot: Depot) -> None:
    account = interrupted(depot)
    depot.provider.answers = [RefreshRefused("refresh_token_reused")] * 2
    with pytest.raises(CredentialDead) as dead:
        depot.renewals().renewed(depot.credential_of(account), 2, depot.call)
    assert dead.value.reason == (
        "the renewal was refused: refresh_token_reused; "
        "an earlier renewal was interrupted, and what it was given was lost"
    )
    assert depot.state(account) == ("needs_login", dead.value.reason)


def test_a_failure_for_now_after_a_crash_ends_nothing(depot: Depot) -> None:
    account = interrupted(depot)
    depot.provider.answers = [RefreshRefused("refresh_token_reused"), RefreshFailed("503")]
    with pytest.raises(RenewalFailed, match="503"):
        depot.renewals().renewed(depot.credential_of(account), 2, depot.call)
    assert depot.state(account)[0] == "cooling"


# --- a database that takes nothing (C05)


class NoWrites:
    """The credentials of a database whose disk is full: `save` alone fails, or whatever is named."""

    def __init__(self, depot: Depot, error: Exception | None = None, names: str = "save") -> None:
        self.error = error or StorageUnavailable("Disk full.")
        self.is_full = True
        self._inner = depot.credentials
        self._names = names.split()

    def __getattr__(self, name: str) -> Any:
        return self._failing if self.is_full and name in self._names else getattr(self._inner, name)

    def _failing(self, *_: object, **__: object) -> Any:
        raise self.error


def test_tokens_the_database_does_not_take_are_kept_and_used(depot: Depot, nth: Any) -> None:
    account = depot.add()
    credential = depot.credential_of(account)
    full = depot.credentials = NoWrites(depot)
    renewals = depot.renewals()
    stored = renewals.renewed(credential, 1, depot.call)
    assert revealed(stored) == given(nth(1))
    assert renewals.renewed(credential, 1, depot.call) == stored
    assert (depot.escrow.waiting(), depot.stored(account).version) == ([credential], 1)
    with pytest.raises(StorageUnavailable):
        renewals.store_escrow()
    full.is_full = False
    assert renewals.renewed(credential, 1, depot.call) == depot.stored(account)
    assert revealed(depot.stored(account)) == given(nth(1))
    assert (depot.escrow.waiting(), depot.provider.presented) == ([], [FIRST])
    assert depot.told == [("kept_tokens_stored", {"account": account})]


def test_another_process_uses_what_is_kept(depot: Depot, nth: Any) -> None:
    credential = depot.credential_of(depot.add())
    depot.credentials = NoWrites(depot)
    depot.renewals().renewed(credential, 1, depot.call)
    elsewhere = depot.renewals().renewed(credential, 1, depot.call)
    assert revealed(elsewhere) == given(nth(1))
    assert depot.provider.presented == [FIRST]


@pytest.mark.parametrize("restarted", [True, False])
def test_a_job_stores_what_was_kept(depot: Depot, nth: Any, restarted: bool) -> None:
    account = depot.add()
    depot.credentials = NoWrites(depot)
    renewals = depot.renewals()
    renewals.renewed(depot.credential_of(account), 1, depot.call)
    depot.credentials.is_full = False
    assert (depot.renewals() if restarted else renewals).store_escrow() == 1
    assert revealed(depot.stored(account)) == given(nth(1))
    assert depot.renewals().store_escrow() == 0


def test_settings_that_change_meanwhile_forget_nothing(depot: Depot) -> None:
    credential = depot.credential_of(depot.add())
    depot.credentials = NoWrites(depot)
    renewals, later = depot.renewals(), depot.renewals()
    stored = renewals.renewed(credential, 1, depot.call)
    depot.escrow.drop(credential)
    later.take_over(renewals)
    assert later.renewed(credential, 1, depot.call) == stored
    assert depot.provider.presented == [FIRST]


def test_with_no_disk_either_they_live_in_memory_until_stored(
    depot: Depot, nth: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    account = depot.add()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(depot.escrow, "keep", full)
    depot.credentials = NoWrites(depot)
    renewals = depot.renewals()
    stored = renewals.renewed(depot.credential_of(account), 1, depot.call)
    assert renewals.renewed(depot.credential_of(account), 1, depot.call) == stored
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    depot.credentials.is_full = False
    assert renewals.store_escrow() == 1
    assert revealed(depot.stored(account)) == given(nth(1))


def test_a_database_that_fails_in_another_way_costs_no_tokens(
    depot: Depot, nth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    credential = depot.credential_of(depot.add())
    depot.credentials = NoWrites(depot, ZeroDivisionError("boom"))
    stored = depot.renewals().renewed(credential, 1, depot.call)
    assert revealed(stored) == given(nth(1))
    assert depot.escrow.waiting() == [credential]


def test_a_failure_that_cannot_be_written_down(depot: Depot) -> None:
    credential = depot.credential_of(depot.add())
    depot.credentials = NoWrites(depot, names="postpone")
    depot.provider.answers = [RefreshFailed("503")]
    with pytest.raises(RenewalFailed) as failed:
        depot.renewals().renewed(credential, 1, depot.call)
    assert (failed.value.reason, failed.value.retry_after) == ("503", 30.0)


def test_without_a_database_nothing_is_sent(depot: Depot, outage: Any) -> None:
    credential = depot.credential_of(depot.add())
    outage.is_away = True
    with pytest.raises(StorageUnavailable):
        depot.renewals().renewed(credential, 1, depot.call)
    assert depot.provider.presented == []


# --- secrets


def test_no_token_is_told_or_logged(depot: Depot, caplog: pytest.LogCaptureFixture) -> None:
    account = depot.add()
    depot.provider.answers = [RefreshFailed("503"), RefreshRefused("invalid_grant")]
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            with pytest.raises((RenewalFailed, CredentialDead)) as raised:
                depot.renewals().renewed(
                    depot.credential_of(account), 1, depot.call, forced=True, access_refused=True
                )
            said.append(repr(raised.value))
    records = [str(vars(record)) for record in caplog.records]
    for text in (*said, *records, repr(depot.told)):
        assert FIRST not in text
        assert "eyJ" not in text


def test_a_claim_that_was_lost_does_not_overwrite(depot: Depot) -> None:
    """C06: a holder that stalls past its claim brings what is older than what is stored."""
    account = depot.add()
    credential = depot.credential_of(account)
    slow = depot.credentials.claim(credential, 1)
    depot.clock.at += 61
    stored = depot.renewals().renewed(credential, 1, depot.call)
    late = Renewals._save(depot.renewals(), replace(slow), Grant(Secret("late"), Secret("later")))
    assert revealed(late) == revealed(stored) == revealed(depot.stored(account))
