"""What several files say about one account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import (
    Found,
    FoundAccount,
    FoundConversation,
    FoundSeed,
    Skipped,
    TokenTrait,
)
from chat2api.service.importing.merging import merge

from .samples import AUTH, CODEX, TEAM, access, legacy, refresh

AT, RT = Secret(access("anna")), Secret(refresh("anna"))
NEWER = Secret(access("newer", email="n@example.com"))
OTHER = Secret(legacy("other"))
PROXY, PROXY2 = Secret("http://one.example"), Secret("http://two.example")
NOW = 1_751_360_000.0


def account(where: str = "a", **fields: Any) -> FoundAccount:
    return FoundAccount(NewAccount(**fields), where)


def renewal(where: str = "r", **fields: Any) -> FoundAccount:
    return FoundAccount(NewAccount(pooled=False, **fields), where, hint=True)


def failure(**fields: Any) -> FoundAccount:
    return FoundAccount(NewAccount(refused="failed", **fields), "error", hint=True)


def seed(name: str, new: NewAccount | None, **fields: Any) -> FoundSeed:
    values: dict[str, Any] = {"user_id": "", "conversation_ids": (), "managed": False}
    return FoundSeed(Secret(name), None, new, where=f"seed {name}", **values | fields)


def trait(token: Secret, workspace_id: str | None = None, **fields: Any) -> TokenTrait:
    values: dict[str, Any] = {"look": Look(), "proxy": None}
    return TokenTrait(token, workspace_id, where="t", **values | fields)


def merged(*accounts: FoundAccount, **more: Any) -> tuple[FoundAccount, ...]:
    return merge([Found(accounts=accounts, **more)]).accounts


def test_the_same_twice_is_one_and_strangers_stay_two() -> None:
    one, two = account("one", access_token=AT), account("two", refresh_token=OTHER)
    assert merged(one, two, account("again", access_token=AT)) == (one, two)


def test_a_renewal_joins_two_tokens_and_needs_no_account_of_its_own() -> None:
    known = renewal(access_token=AT, refresh_token=RT, refreshed_at=NOW)
    whole = NewAccount(access_token=AT, refresh_token=RT, refreshed_at=NOW)
    assert merged(account("rt", refresh_token=RT), known) == (FoundAccount(whole, "rt"),)
    assert merged(known, account("at", access_token=AT)) == (FoundAccount(whole, "r"),)
    assert merged(account("at", access_token=AT), account("rt", refresh_token=RT), known) == (
        FoundAccount(whole, "at"),
    )
    assert merged(known) == (known,)


def test_a_login_is_one_account_a_workspace() -> None:
    known = renewal(access_token=AT, refresh_token=RT, refreshed_at=NOW)
    found = merged(
        account("1", refresh_token=RT),
        account("2", refresh_token=RT, workspace_id=TEAM),
        account("3", refresh_token=RT, workspace_id="other"),
        account("4", access_token=AT, workspace_id=TEAM),
        known,
    )
    whole = NewAccount(access_token=AT, refresh_token=RT, refreshed_at=NOW)
    assert found == (
        FoundAccount(whole, "1"),
        FoundAccount(replace(whole, workspace_id=TEAM), "2"),
        FoundAccount(replace(whole, workspace_id="other"), "3"),
    )
    assert merged(account("2", refresh_token=RT, workspace_id=TEAM), known) == (
        FoundAccount(replace(whole, workspace_id=TEAM), "2"),
    )


def test_a_token_that_names_its_workspace_needs_nobody_to_say_it() -> None:
    token = Secret(access("anna", **{AUTH: {"chatgpt_account_id": TEAM}}))
    bare, named = (
        account("1", access_token=token),
        account("2", access_token=token, workspace_id=TEAM),
    )
    assert merged(bare, named) == (FoundAccount(named.new, "1"),)


def test_the_better_tokens_are_kept() -> None:
    old = account("old", access_token=AT, refresh_token=RT, email="o@example.com", plan="free")
    id_token = Secret(access("id"))
    new = account(
        "new",
        access_token=Secret(access("late")),
        refresh_token=RT,
        id_token=id_token,
        email="n@example.com",
        refreshed_at=NOW,
        kind="codex",
        client_id=CODEX,
    )
    assert merged(old, new) == (FoundAccount(replace(new.new, plan="free"), "old"),)
    later_end = Secret(access("ends", exp=1_900_000_001))
    assert merged(new, account(access_token=later_end, refresh_token=RT))[0].new.access_token == (
        later_end
    )


def test_a_failed_token_marks_its_account_wherever_that_stands() -> None:
    failed = failure(refresh_token=RT)
    assert merged(failed) == (failed,)
    assert merged(account("1", refresh_token=RT), failed, failed) == (
        FoundAccount(failed.new, "1"),
    )
    assert merged(account("1", refresh_token=RT, workspace_id=TEAM), failed) == (
        FoundAccount(replace(failed.new, workspace_id=TEAM), "1"),
    )


def test_a_failed_token_does_not_stand_in_the_way_of_a_good_one() -> None:
    failed = failure(access_token=AT)
    both = account("1", access_token=AT, refresh_token=RT)
    better = account("2", access_token=NEWER, refresh_token=RT)
    assert merged(both, better, failed) == (FoundAccount(better.new, "1"),)


def test_a_failed_token_of_a_seed_does_not_enter_the_pool() -> None:
    failed = failure(refresh_token=RT)
    bound = seed("anna", NewAccount(refresh_token=RT, pooled=False))
    expected = replace(failed.new, pooled=False)
    found = merge([Found(accounts=(failed,), seeds=(bound,))])
    assert found.accounts == (FoundAccount(expected, "error"),)
    assert found.seeds == (replace(bound, account=expected),)


def test_looks_and_proxies_go_to_whom_the_token_belongs() -> None:
    traits = (
        trait(RT, look=Look("Agent/1"), proxy=PROXY),
        trait(AT, look=Look("Agent/2", "device-of-anna")),
        trait(RT, TEAM, proxy=PROXY2),
        trait(OTHER, look=Look("Nobody/1")),
    )
    known = renewal(access_token=AT, refresh_token=RT)
    found = merge([Found(accounts=(account("1", refresh_token=RT), known), traits=traits)])
    look = Look("Agent/1", "device-of-anna")
    whole = replace(known.new, pooled=True, look=look, proxy=PROXY)
    assert found == Found(accounts=(FoundAccount(whole, "1"),), traits=traits)
    own = account("own", refresh_token=RT, workspace_id=TEAM, proxy=Secret("http://own.example"))
    (only,) = merged(own, traits=traits)
    assert only.new == replace(own.new, look=Look("Agent/1"))
    (only,) = merged(account(refresh_token=RT, workspace_id=TEAM), traits=traits[2:])
    assert only.new.proxy == PROXY2
    (only,) = merged(account(refresh_token=RT), traits=traits[2:])
    assert only.new.proxy is None


def test_a_seed_knows_its_account_as_the_pool_does() -> None:
    bound = seed("anna", NewAccount(access_token=AT, pooled=False))
    alone = seed("ben", NewAccount(refresh_token=OTHER, pooled=False))
    found = merge(
        [
            Found(accounts=(account("1", refresh_token=RT),), seeds=(bound, alone)),
            Found(
                accounts=(renewal(access_token=AT, refresh_token=RT),),
                traits=(trait(OTHER, proxy=PROXY),),
            ),
        ]
    )
    whole = NewAccount(access_token=AT, refresh_token=RT)
    assert found.accounts == (FoundAccount(whole, "1"),)
    assert found.seeds == (
        replace(bound, account=whole),
        replace(alone, account=NewAccount(refresh_token=OTHER, pooled=False, proxy=PROXY)),
    )


def test_a_seed_without_a_token_finds_its_account_by_the_address() -> None:
    here = account("1", refresh_token=RT, email="anna@example.com")
    without = seed("anna", None, email="Anna@Example.com")
    found = merge([Found(accounts=(here,), seeds=(without, seed("ben", None)))])
    assert found.seeds == (replace(without, account=here.new), seed("ben", None))
    two = account("2", refresh_token=OTHER, email="anna@example.com")
    assert merge([Found(accounts=(here, two), seeds=(without,))]).seeds == (without,)


def test_a_seed_of_two_files_is_one() -> None:
    bound = NewAccount(access_token=AT, pooled=False)
    first = seed("anna", None, conversation_ids=("c2", "c1"))
    second = seed("anna", bound, conversation_ids=("c1", "c0"), user_id="u", managed=True)
    hashed = FoundSeed(None, "ab" * 32, None, "", (), True, "h")
    found = merge([Found(seeds=(first, hashed)), Found(seeds=(second, hashed))])
    assert found.seeds == (
        replace(
            first, account=bound, conversation_ids=("c2", "c1", "c0"), user_id="u", managed=True
        ),
        hashed,
    )
    assert found.accounts == ()


def test_conversations_and_what_was_skipped() -> None:
    one, again = FoundConversation("c1", {"title": "A"}, "1"), FoundConversation("c1", {}, "2")
    trouble = Skipped("x", "is empty")
    assert merge([Found(conversations=(one, again), skipped=(trouble,)), Found()]) == Found(
        conversations=(one,), skipped=(trouble,)
    )


def test_many_lines_about_one_login() -> None:
    failed = failure(refresh_token=RT)
    assert merged(*[failed] * 20_000) == (failed,)


# --- laws

_some = st.sampled_from([None, *(Secret(legacy(f"r{n}")) for n in range(3))])
_tokens = st.sampled_from([None, *(Secret(access(f"a{n}")) for n in range(3))])


@st.composite
def _news(draw: Callable[..., Any]) -> NewAccount:
    return NewAccount(
        access_token=draw(_tokens),
        refresh_token=draw(_some) or Secret(legacy("last")),
        workspace_id=draw(st.sampled_from([None, TEAM])),
        pooled=draw(st.booleans()),
        refused=draw(st.sampled_from(["", "failed"])),
        refreshed_at=draw(st.sampled_from([None, NOW])),
    )


_founds = st.builds(
    Found,
    accounts=st.lists(
        st.builds(FoundAccount, _news(), st.just("a"), st.booleans()), max_size=6
    ).map(tuple),
    seeds=st.lists(st.builds(seed, st.sampled_from("xyz"), _news()), max_size=4).map(tuple),
)


@given(st.lists(_founds, max_size=3))
def test_nothing_is_lost_and_nothing_is_twice(founds: list[Found]) -> None:
    found = merge(founds)
    owners = [
        (token, each.new.workspace_id)
        for each in found.accounts
        for token in (each.new.access_token, each.new.refresh_token)
        if token
    ]
    assert len(owners) == len(set(owners))
    before = {each.new.pooled for part in founds for each in part.accounts}
    assert bool(found.accounts) is bool(before)


@given(st.lists(_founds, max_size=3))
def test_merging_again_changes_nothing(founds: list[Found]) -> None:
    """Where no user is bound to two accounts: one of these is given up, and with it what it tells."""
    seeds = {each.seed: each for found in founds for each in found.seeds}.values()
    once = merge([*(replace(found, seeds=()) for found in founds), Found(seeds=tuple(seeds))])
    assert merge([once]) == once
    assert merge([once, once]) == once


@pytest.mark.parametrize("founds", [[], [Found()]])
def test_nothing(founds: list[Found]) -> None:
    assert merge(founds) == Found()
