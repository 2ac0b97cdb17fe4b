"""What becomes of accounts whose turns fail: the rows of the fault matrix, with and without a database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, ReplyTo
from chat2api.chat.events import Event, Failure, Finish, TextDelta, Thread
from chat2api.errors import (
    Blame,
    ErrorInfo,
    StorageUnavailable,
    Unauthorized,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamBadResponse,
    UpstreamRateLimited,
    UpstreamRenewalFailed,
)
from chat2api.pool.values import Account, Credential, Need, Outcome
from chat2api.providers.protocol import RefreshFailed, RefreshRefused
from chat2api.secret import Secret
from chat2api.service.access import DirectRefresh
from chat2api.service.fresh import FreshTokens
from chat2api.store.account_book import AccountBook
from chat2api.store.memory_pool import MemoryPool, PoolLimits

Stage = Any
Depot = Any

HELLO: list[Event] = [TextDelta("Hello"), Finish("stop")]
EXPIRED = UpstreamAuthFailed("Expired.")
RENEWED = Account("a", "fake", Credential("subject-a", Secret("fk-new")))


def failure(events: list[Event]) -> ErrorInfo:
    assert isinstance(events[-1], Failure)
    return events[-1].error


def tokens_of(stage: Stage) -> list[str]:
    """The access tokens that turns were sent with."""
    return [credential.access_token.reveal() for _, credential, _ in stage.provider.turns]


# --- one renewal within one try


def test_a_refused_token_is_renewed_and_the_same_account_goes_on(
    stage: Stage, hello: Conversation
) -> None:
    stage.tokens.renewed = {"a": RENEWED}
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello) == HELLO
    assert tokens_of(stage) == ["fk-a", "fk-new"]
    assert stage.pool.books == [("lease", "a"), ("success", "a"), ("release", "a")]
    assert stage.pauses == []


def test_the_renewal_counts_as_the_same_try(stage: Stage, hello: Conversation) -> None:
    stage.retry_times = 1
    stage.tokens.renewed = {
        name: Account(name, "fake", Credential(f"subject-{name}", Secret(f"fk-{name}2")))
        for name in "ab"
    }
    stage.provider.scripts = [[EXPIRED]]
    assert failure(stage.turn(hello)).code == "no_account_available"
    assert tokens_of(stage) == ["fk-a", "fk-a2", "fk-b", "fk-b2"]
    assert [outcome.blame for outcome in stage.pool.outcomes] == [Blame.NEEDS_LOGIN] * 2
    asked = [who for what, who in stage.tokens.asked if what == "again"]
    assert asked == ["a", "b"]  # once each, also when the new token is refused too


def test_nothing_is_renewed_after_the_first_event(stage: Stage, hello: Conversation) -> None:
    stage.tokens.renewed = {"a": RENEWED}
    stage.provider.scripts = [[TextDelta("Hel"), EXPIRED], HELLO]
    assert failure(stage.turn(hello)).code == "no_account_available"
    assert tokens_of(stage) == ["fk-a"]
    assert ("again", "a") not in stage.tokens.asked


def test_nothing_is_renewed_for_a_caller_who_left(stage: Stage, hello: Conversation) -> None:
    gone = StorageUnavailable("stands for any end")
    stage.provider.scripts = [[lambda: stage.call.cancel(gone), EXPIRED]]
    assert stage.turn(hello) == [Failure(gone.info)]
    assert ("again", "a") not in stage.tokens.asked


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (UpstreamAuthFailed("Dead."), Blame.NEEDS_LOGIN),
        (UpstreamRenewalFailed("Later.", retry_after=40), Blame.NONE),
    ],
)
def test_who_cannot_be_renewed_is_passed_over(
    stage: Stage, hello: Conversation, when: str, error: UpstreamAuthFailed, blame: Blame
) -> None:
    if when == "before":
        stage.tokens.before = {"a": error}
        stage.provider.scripts = [HELLO]
    else:
        stage.tokens.renewed = {"a": error}
        stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello) == HELLO
    assert tokens_of(stage)[-1] == "fk-b"
    told = (
        [] if when == "before" else [Outcome(blame, "auto", error.retry_after, False, error.code)]
    )
    assert stage.pool.outcomes == [*told, Outcome(None, "auto")]
    assert stage.pauses == []


def test_a_database_that_fails_is_told_as_that(stage: Stage, hello: Conversation) -> None:
    stage.tokens.before = {"a": StorageUnavailable("The database is busy.", retry_after=2)}
    assert failure(stage.turn(hello)).code == "storage_unavailable"
    assert stage.pool.held == 0


def test_limits_are_counted_under_the_providers_key(stage: Stage, hello: Conversation) -> None:
    stage.provider.key = "gpt-5-5"
    stage.provider.scripts = [[UpstreamRateLimited("Limit.", per_model=True)], HELLO]
    assert stage.turn(hello) == HELLO
    assert stage.pool.needs[0] == Need("fake", "gpt-5-5")
    assert [outcome.model for outcome in stage.pool.outcomes] == ["gpt-5-5"] * 2


def test_a_conversation_goes_on_where_it_is(stage: Stage, hello: Conversation) -> None:
    stage.homes["conv-1"] = "c"
    stage.provider.scripts = [[Thread("conv-1", "msg-2"), *HELLO]]
    stage.turn(replace(hello, reply_to=ReplyTo("conv-1", "msg-1")))
    stage.turn(hello)
    assert [name for what, name in stage.pool.books if what == "lease"] == ["c", "a"]
    assert stage.homes == {"conv-1": "a"}


# --- callers with a refresh token of their own

CALLER = DirectRefresh(Secret("rt_brought000000000000000"))


def test_a_brought_refresh_token_serves_its_turn(stage: Stage, hello: Conversation) -> None:
    stage.tokens.brought = Account("bearer", "", Credential("bearer", Secret("fk-brought")))
    stage.tokens.renewed = {"bearer": Account("bearer", "", Credential("b", Secret("fk-again")))}
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello, CALLER) == HELLO
    assert (tokens_of(stage), stage.pool.books) == (["fk-brought", "fk-again"], [])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Unauthorized("Dead."), 401, "invalid_api_key"),
        (UpstreamRenewalFailed("Later."), 502, "upstream_account_auth_failed"),
    ],
)
def test_a_brought_refresh_token_that_gives_nothing(
    stage: Stage, hello: Conversation, error: Exception, status: int, code: str
) -> None:
    stage.tokens.brought = error
    told = failure(stage.turn(hello, CALLER))
    assert (told.status, told.code, stage.provider.turns) == (status, code, [])


def test_a_brought_token_that_is_refused_after_all(stage: Stage, hello: Conversation) -> None:
    stage.tokens.brought = Account("bearer", "", Credential("bearer", Secret("fk-brought")))
    stage.tokens.renewed = {"bearer": UpstreamAuthFailed("Dead.")}
    stage.provider.scripts = [[EXPIRED]]
    told = failure(stage.turn(hello, CALLER))
    assert (told.status, told.message) == (401, "The upstream refused this token.")


# --- with a pool in memory, that keeps standings


@pytest.fixture
def pool(stage: Stage) -> MemoryPool:
    accounts = [
        Account(name, "fake", Credential(f"subject-{name}", Secret(f"fk-{name}"))) for name in "ab"
    ]
    stage.pool = MemoryPool(PoolLimits(1, queue_seconds=0.05), accounts)
    return stage.pool  # type: ignore[no-any-return]


def states(pool: MemoryPool) -> dict[str, str]:
    now = pool._clock()
    return {name: standing.state(now) for name, standing in pool.standings().items()}


def test_limits_on_all_accounts(stage: Stage, pool: MemoryPool, hello: Conversation) -> None:
    """A09, A11: the true wait, other models go on, and no upstream call while all cool."""
    stage.provider.scripts = [[UpstreamRateLimited("Limit.", retry_after=120, per_model=True)]]
    for turns in (2, 2):
        told = failure(stage.turn(hello))
        assert (told.status, told.code) == (429, "account_pool_exhausted")
        assert 119 <= (told.retry_after or 0) <= 120
        assert len(stage.provider.turns) == turns
    stage.provider.scripts = [HELLO]
    assert stage.turn(replace(hello, model="gpt-other")) == HELLO


def test_limits_without_a_hint_never_ask_for_a_login(
    stage: Stage, pool: MemoryPool, hello: Conversation
) -> None:
    """A10"""
    stage.provider.scripts = [[UpstreamRateLimited("Limit.")]]
    told = failure(stage.turn(hello))
    assert told.code == "account_pool_exhausted"
    assert 29 <= (told.retry_after or 0) <= 37.5
    assert states(pool) == {"a": "limited", "b": "limited"}


def test_distrust_cools_and_is_told_as_it_is(
    stage: Stage, pool: MemoryPool, hello: Conversation
) -> None:
    """A05: each account once, then no more."""
    stage.provider.scripts = [[UpstreamAccessDenied("Unusual activity.")]]
    assert failure(stage.turn(hello)).code == "upstream_access_denied"
    assert states(pool) == {"a": "cooling", "b": "cooling"}
    assert failure(stage.turn(hello)).code == "account_pool_exhausted"
    assert len(stage.provider.turns) == 2


def test_a_hiccup_disables_nobody(stage: Stage, pool: MemoryPool, hello: Conversation) -> None:
    """A13"""
    stage.provider.scripts = [[UpstreamBadResponse("500")], HELLO]
    assert stage.turn(hello) == HELLO
    assert states(pool) == {"a": "active", "b": "active"}
    assert len(stage.pauses) == 1


def test_all_busy(stage: Stage, pool: MemoryPool, hello: Conversation) -> None:
    """A26: a wait in the queue, and then the truth."""
    need = Need("fake", "auto")
    with pool.lease(need, stage.call), pool.lease(need, stage.call):
        told = failure(stage.turn(hello))
    assert (told.status, told.code, stage.provider.turns) == (503, "server_overloaded", [])
    assert told.retry_after == 5


# --- with a database, and tokens that are renewed


@pytest.fixture
def real(stage: Stage, depot: Depot) -> Depot:
    stage.pool = depot.pool()
    stage.provider.name = "chatgpt"
    stage.tokens = FreshTokens(depot.renewals(), depot.credentials, depot.store.now)
    return depot


def living(depot: Depot, person: str, **more: Any) -> str:
    """An account with a token that has not ended."""
    tokens = {
        "access_token": Secret(depot.jwt(person, depot.clock.at + 9000)),
        "refresh_token": Secret(f"rt_{person:0>20}"),
        **more,
    }
    return depot.add(**tokens)  # type: ignore[no-any-return]


def test_401_and_the_refresh_works(stage: Stage, real: Depot, hello: Conversation) -> None:
    """A01"""
    account = living(real, "one")
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello) == HELLO
    assert len(real.provider.presented) == 1
    assert real.state(account) == ("active", "")


def test_401_and_the_refresh_is_refused(stage: Stage, real: Depot, hello: Conversation) -> None:
    """A02: the next account serves, and the token is kept."""
    accounts = [living(real, "one"), living(real, "two")]
    real.provider.answers = [RefreshRefused("invalid_grant")]
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello) == HELLO
    used = [credential.subject for _, credential, _ in stage.provider.turns]
    assert sorted(used) == sorted(accounts)
    assert real.state(used[0]) == ("needs_login", "the renewal was refused: invalid_grant")
    assert real.state(used[1]) == ("active", "")
    assert real.stored(used[0]).refresh_token is not None


def test_a_token_that_ends_while_its_request_waits(real: Depot, stage: Stage, hello: Any) -> None:
    """C12: renewed before anything is sent."""
    pool = stage.pool

    class LongQueue:
        """Hands out what the pool does, hours later."""

        def __getattr__(self, name: str) -> Any:
            return getattr(pool, name)

        def lease(self, need: Need, call: Any) -> Any:
            real.clock.at += 9000
            return pool.lease(need, call)

    living(real, "one")
    stage.pool = LongQueue()
    stage.provider.scripts = [HELLO]
    assert stage.turn(hello) == HELLO
    renewed = real.grant(1).access_token.reveal()
    assert (tokens_of(stage), len(real.provider.presented)) == ([renewed], 1)


def test_401_everywhere(stage: Stage, real: Depot, hello: Conversation) -> None:
    """A03: never a 401, and no more than one refresh an account."""
    accounts = [living(real, name) for name in ("one", "two", "three")]
    stage.provider.scripts = [[EXPIRED]]
    told = failure(stage.turn(hello))
    assert (told.status, told.code) == (503, "no_account_available")
    assert len(real.provider.presented) == len(set(real.provider.presented)) == 3
    assert {real.state(name)[0] for name in accounts} == {"needs_login"}
    assert failure(stage.turn(hello)).code == "no_account_available"
    assert len(stage.provider.turns) == 6


def test_401_and_there_is_nothing_to_refresh(
    stage: Stage, real: Depot, hello: Conversation
) -> None:
    """A04"""
    accounts = [living(real, name, refresh_token=None) for name in ("one", "two")]
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert stage.turn(hello) == HELLO
    assert real.provider.presented == []
    states = sorted(real.state(name)[0] for name in accounts)
    assert states == ["active", "needs_login"]


def test_a_token_endpoint_that_is_down_ends_no_account(
    stage: Stage, real: Depot, hello: Conversation
) -> None:
    """C10: refused by the upstream and not renewable now, it is the second choice for a while."""
    account = living(real, "one")
    real.provider.answers = [RefreshFailed("503")]
    stage.provider.scripts = [[EXPIRED], HELLO]
    assert failure(stage.turn(hello)).code == "upstream_account_auth_failed"
    assert real.state(account)[0] == "active"
    assert stage.turn(hello) == HELLO


def test_a_paused_account_is_not_used_by_who_waits(
    stage: Stage, real: Depot, hello: Conversation
) -> None:
    """A27: the operator takes it away between two attempts."""
    accounts = [living(real, "one"), living(real, "two")]
    book = AccountBook(real.store)

    def pause_the_other() -> None:
        used = stage.provider.turns[0][1].subject
        book.pause([name for name in accounts if name != used])

    stage.provider.scripts = [[pause_the_other, UpstreamBadResponse("500")], HELLO]
    told = failure(stage.turn(hello))
    assert (told.code, len(stage.provider.turns)) == ("upstream_bad_response", 1)


def test_a_removed_account_ends_its_turn_normally(
    stage: Stage, real: Depot, hello: Conversation
) -> None:
    account = living(real, "one")
    remove = lambda: AccountBook(real.store).remove([account])  # noqa: E731
    stage.provider.scripts = [[TextDelta("Hel"), remove, *HELLO]]
    assert stage.turn(hello) == [TextDelta("Hel"), *HELLO]
    assert failure(stage.turn(hello)).code == "no_account_available"
