"""One entry of the pool per person and workspace, whatever of it is handed in."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.claims import Claims
from chat2api.pool.identity import (
    claims_of,
    direct_credential,
    identity_by_claims,
    identity_of,
    is_provisional,
)
from chat2api.pool.values import Credential, NewAccount
from chat2api.secret import Secret


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def token(**payload: Any) -> Secret:
    middle = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return Secret(f"eyJhbGciOiJub25lIn0.{middle}.")


def auth(user: str = "", workspace: str = "", plan: str = "") -> dict[str, Any]:
    fields = {
        "chatgpt_user_id": user,
        "chatgpt_account_id": workspace,
        "chatgpt_plan_type": plan,
    }
    return {"https://api.openai.com/auth": fields}


def test_the_id_token_completes_the_access_token() -> None:
    access = token(exp=2_000_000_000, **auth("u", "", "plus"))
    identity = token(exp=1, email="u@example.com", client_id="app", **auth("other", "ws", "free"))
    assert claims_of(access, identity) == Claims(
        2_000_000_000.0, "u", "ws", "u@example.com", "plus", "app"
    )
    assert claims_of(None, None) == Claims()


def test_two_members_of_one_workspace_are_two_accounts() -> None:
    """C20, and one person in two workspaces."""
    people = [("a", "ws"), ("b", "ws"), ("a", "other"), ("a", "")]
    keys = {
        identity_by_claims(Claims(user_id=user, workspace_id=workspace), None, hashed)
        for user, workspace in people
    }
    assert len(keys) == 4


def test_the_workspace_of_the_line_goes_before_that_of_the_token() -> None:
    claims = Claims(user_id="a", workspace_id="ws")
    assert identity_by_claims(claims, "ws", hashed) == identity_by_claims(claims, None, hashed)
    assert identity_by_claims(claims, "x", hashed) == identity_by_claims(
        Claims(user_id="a"), "x", hashed
    )


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        (Claims(user_id="u", email="U@Example.com"), "u"),
        (Claims(email="U@Example.com"), "u@example.com"),
    ],
)
def test_a_person_is_a_user_id_or_an_address(claims: Claims, person: str) -> None:
    assert identity_by_claims(claims, None, hashed) == f"user:{hashed(person + chr(0))[:40]}"


@pytest.mark.parametrize(
    ("new", "key", "provisional"),
    [
        (NewAccount(access_token=Secret("fk-1")), f"at:{hashed('fk-1' + chr(0))[:40]}", False),
        (NewAccount(refresh_token=Secret("rt_1")), f"rt:{hashed('rt_1' + chr(0))[:40]}", True),
        (
            NewAccount(Secret("fk-1"), Secret("rt_1"), workspace_id="ws"),
            f"rt:{hashed('rt_1' + chr(0) + 'ws')[:40]}",
            True,
        ),
    ],
)
def test_tokens_that_say_nothing_are_known_by_themselves(
    new: NewAccount, key: str, provisional: bool
) -> None:
    assert identity_of(new, Claims(), hashed) == key
    assert is_provisional(key) is provisional


def test_a_named_account_is_not_provisional() -> None:
    new = NewAccount(refresh_token=Secret("rt_1"))
    key = identity_of(new, Claims(user_id="u"), hashed)
    assert (key, is_provisional(key)) == (f"user:{hashed('u' + chr(0))[:40]}", False)


@given(st.text(), st.none() | st.text(min_size=1))
def test_a_brought_token_has_a_subject_that_does_not_show_it(
    text: str, workspace: str | None
) -> None:
    text = text.encode("utf-8", "ignore").decode()
    workspace = None if workspace is None else workspace.encode("utf-8", "ignore").decode()
    found = direct_credential(Secret(text), workspace)
    assert found == Credential(found.subject, Secret(text), workspace)
    assert found == direct_credential(Secret(text), workspace)
    assert len(found.subject) == 20
    assert found.subject != direct_credential(Secret(text + "x"), workspace).subject


@given(st.text(), st.text(), st.text(), st.text())
def test_keys_are_equal_for_equal_persons_only(a: str, b: str, v: str, w: str) -> None:
    one, two = (
        identity_by_claims(Claims(user_id=user.encode("utf-8", "ignore").decode()),
                           workspace.encode("utf-8", "ignore").decode(), hashed)
        for user, workspace in ((a, v), (b, w))
    )  # fmt: skip
    if one is not None and "\0" not in a + b + v + w:
        assert (one == two) == ((a, v) == (b, w))
