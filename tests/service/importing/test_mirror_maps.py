"""Seeds and conversations of a mirror."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.found import Found, FoundConversation, FoundSeed, Skipped
from chat2api.service.importing.mirror_maps import (
    bound_account,
    read_conversation_map,
    read_seed_map,
    seed_of,
)

from .samples import TEAM, access, legacy, written

AT, OLD = access("anna"), legacy("anna")
HASH = "ab" * 32
ONE, TWO = "11111111-0000-4000-8000-000000000000", "22222222-0000-4000-8000-000000000000"


def seed(entry: int, text: str | None, **fields: Any) -> FoundSeed:
    values: dict[str, Any] = {
        "seed_hash_sha256": None,
        "account": None,
        "user_id": "",
        "conversation_ids": (),
        "managed": False,
    }
    return FoundSeed(Secret(text) if text else None, where=f"m entry {entry}", **values | fields)


def test_seeds() -> None:
    content = written(
        {
            "anna%40home": {"token": AT, "conversations": [TWO, ONE, TWO], "user_id": "user-a"},
            "team": {"token": f"{OLD},{TEAM}"},
            "nobody": {"token": "", "conversations": [], "user_id": None},
            HASH: {"token": AT, "managed": True},
            "cd" * 32: {"token": AT},
            "plain": {"managed": True},
        }
    )
    team = NewAccount(refresh_token=Secret(OLD), workspace_id=TEAM, pooled=False)
    anna = NewAccount(access_token=Secret(AT), pooled=False)
    assert read_seed_map(content, "m") == Found(
        seeds=(
            seed(1, "anna@home", account=anna, user_id="user-a", conversation_ids=(TWO, ONE)),
            seed(2, "team", account=team),
            seed(3, "nobody"),
            seed(4, None, seed_hash_sha256=HASH, account=anna, managed=True),
            seed(5, "cd" * 32, account=anna),
            seed(6, "plain", managed=True),
        )
    )


def test_entries_that_are_not_seeds_or_not_quite() -> None:
    content = written(
        {
            "clear": {"token": AT},
            "": {"token": AT},
            "x" * 129: {"token": AT},
            "a%0Ab": {"token": AT},
            "text": AT,
            "odd": {"token": "garbage", "conversations": [ONE, 5, "../x", OLD], "user_id": AT},
            "odder": {"token": [], "conversations": "x"},
        }
    )
    unbound = "what it is bound to is not a token; it was taken without an account"
    conversations = "has malformed conversation ids, which were left out"
    assert read_seed_map(content, "m") == Found(
        seeds=(seed(6, "odd", conversation_ids=(ONE,)), seed(7, "odder")),
        skipped=(
            *(Skipped(f"m entry {number}", "not a seed") for number in range(1, 5)),
            Skipped("m entry 5", "is not an entry of this kind of file"),
            Skipped("m entry 6", unbound),
            Skipped("m entry 6", conversations),
            Skipped("m entry 7", unbound),
            Skipped("m entry 7", conversations),
        ),
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [("plain", "plain"), ("a%20b", "a b"), ("a%ffb", "a%ffb"), ("100%", "100%"), (" x ", "x")],
)
def test_percent_signs(value: str, text: str) -> None:
    assert seed_of(value) == Secret(text)


def test_bindings() -> None:
    assert bound_account(None) == bound_account("") == (None, True)
    assert bound_account(7) == (None, False)
    assert bound_account(AT, email="a@b") == (
        NewAccount(access_token=Secret(AT), email="a@b", pooled=False),
        True,
    )


def test_conversations() -> None:
    entry = {
        "id": ONE,
        "title": "Soup\ud800\0",
        "create_time": "2026-01-02T03:04:05.678901Z",
        "update_time": None,
        "is_archived": False,
        "number": 1.5,
        "huge": 10**300,
        "nested": {"a": 1},
        "": "unnamed",
        AT: "a token as a name",
    }
    content = written({ONE: entry, "not an id": {}, TWO: None})
    assert read_conversation_map(content, "m") == Found(
        conversations=(
            FoundConversation(
                ONE,
                {
                    "title": "Soup?",
                    "create_time": "2026-01-02T03:04:05.678901Z",
                    "update_time": None,
                    "is_archived": False,
                    "number": 1.5,
                },
                "m entry 1",
            ),
        ),
        skipped=(
            Skipped("m entry 2", "is not an entry of this kind of file"),
            Skipped("m entry 3", "is not an entry of this kind of file"),
        ),
    )


def test_facts_are_bounded() -> None:
    content = written({ONE: {f"fact{number}": "x" * 9_000 for number in range(99)}})
    (conversation,) = read_conversation_map(content, "m").conversations
    assert conversation.facts == {f"fact{number}": "x" * 2_000 for number in range(40)}
