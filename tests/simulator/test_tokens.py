"""Tokens as the upstream makes them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from chat2api.simulator.tokens import (
    Kind,
    Person,
    client_of,
    make_access_token,
    make_id_token,
    make_refresh_token,
    stable_uuid,
)

NOW = 1_800_000_000.0
ANN = Person("ann", "team", "acc-1", "ann@example.com", "app_X")
AUTH = {
    "chatgpt_account_id": "acc-1",
    "chatgpt_plan_type": "team",
    "chatgpt_user_id": "user-ann",
    "user_id": "user-ann",
}


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_an_access_token_looks_like_one_and_says_who_it_is() -> None:
    token = make_access_token(ANN, now=NOW, lifetime_seconds=60)
    assert token.startswith("eyJhbGciOiJSUzI1NiI")
    found = claims(token)
    assert found.pop("jti")
    assert found == {
        "aud": ["https://api.openai.com/v1"],
        "client_id": "app_X",
        "exp": 1_800_000_060,
        "iat": 1_800_000_000,
        "iss": "https://auth.openai.com",
        "https://api.openai.com/auth": AUTH,
        "https://api.openai.com/profile": {"email": "ann@example.com", "email_verified": True},
        "sub": "auth0|ann",
    }


def test_an_id_token_speaks_to_the_program_that_logged_in() -> None:
    found = claims(make_id_token(ANN, now=NOW))
    assert found.pop("jti")
    personal = {"id": "org-ann", "is_default": True, "role": "owner", "title": "Personal"}
    assert found == {
        "aud": ["app_X"],
        "auth_provider": "password",
        "email": "ann@example.com",
        "email_verified": True,
        "exp": 1_800_003_600,
        "iat": 1_800_000_000,
        "iss": "https://auth.openai.com",
        "https://api.openai.com/auth": {**AUTH, "organizations": [personal]},
        "sub": "auth0|ann",
    }


def test_two_tokens_of_one_person_differ() -> None:
    assert make_access_token(ANN, now=NOW) != make_access_token(ANN, now=NOW)


@pytest.mark.parametrize(
    ("kind", "start", "length", "client"),
    [
        ("legacy", "v1.", 45, "pdlLIX2Y72MIl2rhLhTE9VV9bN905kBh"),
        ("rt", "rt_", 67, "app_EMoamEEZ73f0CkXaXp7hrann"),
    ],
)
def test_refresh_tokens_of_two_kinds(kind: Kind, start: str, length: int, client: str) -> None:
    first, second = make_refresh_token(kind), make_refresh_token(kind)
    assert (first[:3], len(first), len(second)) == (start, length, length)
    assert first != second
    assert client_of(kind) == client


def test_ids_follow_from_words() -> None:
    assert stable_uuid("ann", "personal") == stable_uuid("ann", "personal")
    assert stable_uuid("ann", "personal") != stable_uuid("ann", "team")
