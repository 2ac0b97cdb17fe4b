"""Values of an import: joined in order, and silent about what they hold."""

from __future__ import annotations

from chat2api.pool.values import Look, NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import (
    Found,
    FoundAccount,
    FoundConversation,
    FoundSeed,
    Skipped,
    TokenTrait,
    joined,
    nothing,
)

from .samples import access, refresh


def test_parts_are_joined_in_order() -> None:
    one = FoundAccount(NewAccount(access_token=Secret(access("one"))), "a line 1")
    two = FoundAccount(NewAccount(refresh_token=Secret(refresh("two"))), "a line 2")
    assert joined([Found(accounts=(one,)), nothing("b", "is empty"), Found(accounts=(two,))]) == (
        Found(accounts=(one, two), skipped=(Skipped("b", "is empty"),))
    )
    assert joined([]) == Found()


def test_nothing_is_shown_of_tokens_seeds_titles_and_proxies() -> None:
    token, seed, title = access("one"), "seed-of-a-user", "a private title"
    proxy = Secret("http://user:password@proxy.example")
    account = NewAccount(access_token=Secret(token), proxy=proxy)
    found = Found(
        accounts=(FoundAccount(account, "a"),),
        seeds=(FoundSeed(Secret(seed), None, account, "", (), False, "b"),),
        conversations=(FoundConversation("id", {"title": title}, "c"),),
        traits=(TokenTrait(Secret(token), None, Look(), proxy, "d"),),
    )
    shown = f"{found!r} {found}"
    assert not [text for text in (token, seed, title, "password") if text in shown]
