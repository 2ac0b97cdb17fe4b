"""Accounts and the tokens that open them."""

from __future__ import annotations

import base64
import json
from typing import Any

from chat2api.simulator.accounts import Accounts, demo_accounts, make_access_token, make_account

NOW = 1_800_000_000.0


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_a_token_looks_like_one_and_says_who_it_is() -> None:
    token = make_access_token("ann", plan="team", account_id="acc-1", now=NOW, lifetime_seconds=60)
    assert token.startswith("eyJhbGciOiJSUzI1NiI")
    found = claims(token)
    assert found.pop("jti")
    assert found == {
        "aud": ["https://api.openai.com/v1"],
        "client_id": "app_SIMULATOR",
        "exp": 1_800_000_060,
        "iat": 1_800_000_000,
        "iss": "https://auth.openai.com",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": "acc-1",
            "chatgpt_plan_type": "team",
            "chatgpt_user_id": "user-ann",
            "user_id": "user-ann",
        },
        "https://api.openai.com/profile": {"email": "ann@example.com", "email_verified": True},
        "sub": "auth0|ann",
    }


def test_two_tokens_of_one_person_differ() -> None:
    assert make_access_token("ann", now=NOW) != make_access_token("ann", now=NOW)


def test_the_demo_has_a_paid_and_a_free_account() -> None:
    plus, free = demo_accounts(NOW)
    assert (plus.persona, len(plus.workspaces)) == ("chatgpt-paid", 2)
    assert (free.persona, len(free.workspaces)) == ("chatgpt-freeaccount", 1)
    assert (
        claims(plus.token)["https://api.openai.com/auth"]["chatgpt_account_id"]
        == plus.workspaces[0]
    )


def test_an_account_takes_the_place_of_its_namesake() -> None:
    old, new = make_account("ann", now=NOW), make_account("ann", plan="free", now=NOW)
    accounts = Accounts([old])
    accounts.add(new)
    assert accounts.all() == (new,)
    assert accounts.find(old.token) is None
    assert accounts.label(new.token) == "ann"
    assert accounts.label(old.token).startswith("unknown:")
