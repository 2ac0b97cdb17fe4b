"""Accounts out of tokens."""

from __future__ import annotations

from chat2api.pool.tokens import TokenText
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.logins import CODEX_CLIENT_ID, login, login_of

from .samples import AUTH, TEAM, access, legacy, refresh

ABOUT = {AUTH: {"chatgpt_account_id": TEAM, "chatgpt_plan_type": "plus"}}


def test_a_web_login_uses_no_workspace_unless_somebody_said_so() -> None:
    token = Secret(access("anna", email="anna@example.com", **ABOUT))
    assert login(token, None) == NewAccount(
        access_token=token, email="anna@example.com", plan="plus", kind="web"
    )
    assert login(token, None, workspace_id="other").workspace_id == "other"


def test_a_codex_login_is_known_by_its_client_and_reads_its_workspace() -> None:
    token = Secret(access("anna", client_id=CODEX_CLIENT_ID, **ABOUT))
    assert login(token, Secret(refresh("anna"))) == NewAccount(
        access_token=token,
        refresh_token=Secret(refresh("anna")),
        workspace_id=TEAM,
        plan="plus",
        kind="codex",
        client_id=CODEX_CLIENT_ID,
    )


def test_what_is_given_goes_before_what_the_tokens_say_and_the_id_token_before_the_other() -> None:
    token = Secret(access("anna", email="access@example.com", **ABOUT))
    id_token = Secret(access("id", email="id@example.com"))
    given = login(token, None, id_token=id_token, email="given@example.com", plan="pro")
    assert (given.email, given.plan) == ("given@example.com", "pro")
    assert login(token, None, id_token=id_token).email == "id@example.com"


def test_claims_that_hold_tokens_are_left_out() -> None:
    claims = {"email": legacy("x"), AUTH: {"chatgpt_plan_type": refresh("x")}}
    found = login(Secret(access("anna", **claims)), None)
    assert (found.email, found.plan) == ("", "")


def test_one_token() -> None:
    token = TokenText("refresh", Secret(legacy("anna")), TEAM)
    assert login_of(token, pooled=False, refused="why", email="a@b") == NewAccount(
        refresh_token=Secret(legacy("anna")),
        workspace_id=TEAM,
        email="a@b",
        pooled=False,
        refused="why",
    )
