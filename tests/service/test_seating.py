"""Which seat a caller gets: an account of the pool, their own token, or nobody's."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import ReplyTo
from chat2api.errors import (
    NoAccountAvailable,
    Overloaded,
    Unauthorized,
    UpstreamAuthFailed,
    UpstreamRenewalFailed,
)
from chat2api.pool.values import Account, Credential, Need
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey
from chat2api.service.fresh import FreshTokens
from chat2api.service.seating import Seat

Stage = Any
NEED = Need("fake", "auto")
OWN = Direct(Credential("own", Secret("fk-own"), "team"))
REFRESH = DirectRefresh(Secret("rt_brought000000000000000"), "team")
KEY = PoolKey("key-id")


def take(stage: Stage, caller: Any, tried: set[str]) -> Seat:
    seating = stage.seating()
    with seating.taken(NEED, caller, seating.route(caller), tried, stage.call) as seat:
        return seat  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("caller", "allowed", "held", "route"),
    [
        (OWN, True, False, "direct"),
        (REFRESH, True, False, "direct"),
        (Anonymous(), True, True, "anonymous"),
        (KEY, True, True, "pool"),
        (KEY, True, False, "anonymous"),
        (KEY, False, False, "pool"),
    ],
)
def test_routes(stage: Stage, caller: Any, allowed: bool, held: bool, route: str) -> None:
    stage.allow_anonymous = allowed
    stage.pool.accounts = stage.pool.accounts if held else []
    assert stage.seating().route(caller) == route


def test_a_seat_of_the_pool(stage: Stage) -> None:
    stage.proxies = (Secret("http://all.test:1"),)
    stage.pool.accounts[1] = replace(stage.pool.accounts[1], proxy=Secret("http://own.test:1"))
    tried: set[str] = set()
    first, second = take(stage, KEY, tried), take(stage, KEY, tried)
    assert (first.account, first.proxy) == (stage.pool.accounts[0], stage.proxies[0])
    assert (second.account, second.proxy) == (
        stage.pool.accounts[1],
        Secret("http://own.test:1"),
    )
    assert first.lease is not None
    assert first.credential == first.account.credential
    assert tried == {"a", "b"}
    assert [need.excluded for need in stage.pool.needs] == [frozenset(), frozenset("a")]
    assert stage.tokens.asked == [("of", "a"), ("of", "b")]
    assert stage.pool.held == 0


@pytest.mark.parametrize("error", [UpstreamAuthFailed("No."), UpstreamRenewalFailed("Later.")])
def test_an_account_without_a_token_counts_as_tried(stage: Stage, error: Exception) -> None:
    stage.tokens.before = {"a": error}
    tried: set[str] = set()
    with pytest.raises(type(error)):
        take(stage, KEY, tried)
    assert (tried, stage.pool.held) == ({"a"}, 0)
    assert take(stage, KEY, tried).account.account_id == "b"


def test_nobody_left(stage: Stage) -> None:
    stage.pool.when_empty = NoAccountAvailable("None.")
    stage.pool.accounts = []
    with pytest.raises(NoAccountAvailable):
        take(stage, KEY, set())


def test_own_tokens_and_nobodys_take_no_account(stage: Stage) -> None:
    brought = Account("bearer_1", "", Credential("bearer_1", Secret("fk-brought"), "team"))
    stage.tokens.brought = brought
    tried: set[str] = set()
    assert take(stage, OWN, tried) == Seat(Account("own", "", OWN.credential), None)
    assert take(stage, REFRESH, tried) == Seat(brought, None)
    nobody = Account("anonymous", "", Credential("anonymous", None))
    assert take(stage, Anonymous(), tried) == Seat(nobody, None)
    assert (stage.pool.books, tried) == ([], set())


def test_their_number_is_bounded(stage: Stage) -> None:
    stage.direct_concurrency = 2
    seating = stage.seating()
    with ExitStack() as held:
        for caller, route in ((OWN, "direct"), (Anonymous(), "anonymous")):
            held.enter_context(seating.taken(NEED, caller, route, set(), stage.call))
        with (
            pytest.raises(Overloaded),
            seating.taken(NEED, OWN, "direct", set(), stage.call),
        ):
            pass
    with seating.taken(NEED, OWN, "direct", set(), stage.call) as seat:
        assert seat.credential == OWN.credential


def test_a_refused_bearer_leaves_no_seat_taken(stage: Stage) -> None:
    stage.direct_concurrency = 1
    stage.tokens.brought = Unauthorized("Dead.")
    seating = stage.seating()
    for _ in range(2):
        with (
            pytest.raises(Unauthorized),
            seating.taken(NEED, REFRESH, "direct", set(), stage.call),
        ):
            pass


def test_a_seat_with_another_token(stage: Stage) -> None:
    seat = take(stage, KEY, set())
    assert stage.seating().again(seat, stage.call) is None
    renewed = replace(seat.account, credential=Credential("subject-a", Secret("fk-new")))
    stage.tokens.renewed = {"a": renewed}
    assert stage.seating().again(seat, stage.call) == replace(seat, account=renewed)


def test_the_home_of_a_conversation(stage: Stage) -> None:
    seating = stage.seating()
    assert seating.home(None) is None
    assert seating.home(ReplyTo("conv-1", "msg-1")) is None
    seating.note_home("conv-1", take(stage, KEY, set()))
    seating.note_home("conv-2", take(stage, OWN, set()))  # no account of the pool
    assert stage.homes == {"conv-1": "a"}
    assert seating.home(ReplyTo("conv-1", "msg-1")) == "a"


def test_a_brought_token_never_enters_the_pool(stage: Stage, depot: Any) -> None:
    """C22, with the real things."""
    stage.pool = depot.pool()
    stage.tokens = FreshTokens(depot.renewals(), depot.credentials, depot.store.now)
    seat = take(stage, REFRESH, set())
    assert seat.credential.access_token == depot.grant(1).access_token
    assert seat.lease is None
    assert stage.pool.is_empty()
