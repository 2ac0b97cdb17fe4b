"""Logins as JSON, in all their shapes."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.auth_files import read_auth_file
from chat2api.service.importing.found import Found, FoundAccount, Skipped

from .samples import AUTH, CODEX, TEAM, access, jwt, legacy, refresh, written

ABOUT = {AUTH: {"chatgpt_account_id": TEAM, "chatgpt_plan_type": "team"}}
AT, RT, ID = access("anna", **ABOUT), refresh("anna"), jwt(email="anna@example.com", **ABOUT)
WEB = access("web")
RENEWED = 1_782_901_230.0

CODEX_LOGIN = NewAccount(
    access_token=Secret(AT),
    refresh_token=Secret(RT),
    id_token=Secret(ID),
    workspace_id=TEAM,
    email="anna@example.com",
    plan="team",
    kind="codex",
    client_id=CODEX,
    refreshed_at=RENEWED,
)
TOKENS = {"id_token": ID, "access_token": AT, "refresh_token": RT}
CAMEL = {"idToken": ID, "accessToken": AT, "refreshToken": RT, "accountId": TEAM}
LAST = "2026-07-01T10:20:30Z"


def read(value: Any) -> Found:
    return read_auth_file(written(value), "auth.json")


def one(new: NewAccount, *reasons: str) -> Found:
    return Found(
        accounts=(FoundAccount(new, "auth.json"),),
        skipped=tuple(Skipped("auth.json", reason) for reason in reasons),
    )


def skipped(reason: str) -> Found:
    return Found(skipped=(Skipped("auth.json", reason),))


@pytest.mark.parametrize(
    "value",
    [
        {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS, "last_refresh": LAST},
        {"OPENAI_API_KEY": "sk-x", "tokens": {**TOKENS, "account_id": TEAM}, "last_refresh": LAST},
        {**TOKENS, "type": "codex", "account_id": TEAM, "last_refresh": LAST, "expired": LAST},
        {**CAMEL, "type": "codex", "lastRefresh": LAST},
        {"tokens": CAMEL, "last_refresh": LAST},
    ],
)
def test_codex_logins(value: Any) -> None:
    assert read(value) == one(CODEX_LOGIN)


def test_a_codex_refresh_token_may_look_like_nothing_known() -> None:
    found = read({"tokens": {"refresh_token": "v9-some-other-form-of-token"}})
    assert found == one(
        NewAccount(
            refresh_token=Secret("v9-some-other-form-of-token"), kind="codex", client_id=CODEX
        )
    )
    assert read({"type": "plus", "refresh_token": "v9-some-other-form-of-token"}) == skipped(
        "its refresh token is none and was left out"
    )


def test_a_flat_login_of_no_named_type_is_one_of_the_web() -> None:
    entry = {"access_token": WEB, "refresh_token": legacy("web"), "account_id": 12, "type": "Plus"}
    assert read({**entry, "proxy_url": "one.example:80", "email": "w@example.com"}) == one(
        NewAccount(
            access_token=Secret(WEB),
            refresh_token=Secret(legacy("web")),
            workspace_id="12",
            email="w@example.com",
            plan="plus",
            proxy=Secret("http://one.example:80"),
        )
    )


def test_the_session_of_a_browser() -> None:
    session = {"user": {"id": "user-w", "email": "w@example.com"}, "expires": LAST}
    assert read({**session, "accessToken": WEB, "sessionToken": "x"}) == one(
        NewAccount(access_token=Secret(WEB), email="w@example.com")
    )


def test_a_list_of_anything() -> None:
    assert read([{"tokens": TOKENS, "last_refresh": LAST}, f"{WEB},{TEAM}", 7, {}, "x"]) == Found(
        accounts=(
            FoundAccount(CODEX_LOGIN, "auth.json entry 1"),
            FoundAccount(
                NewAccount(access_token=Secret(WEB), workspace_id=TEAM), "auth.json entry 2"
            ),
        ),
        skipped=(
            Skipped("auth.json entry 3", "is not an entry of this kind of file"),
            Skipped("auth.json entry 4", "holds no access token and no refresh token"),
            Skipped("auth.json entry 5", "not a token"),
        ),
    )


@pytest.mark.parametrize("content", [f"{RT}\n", f'"{RT}"', f"\ufeff Bearer {RT}\r\n"])
def test_a_bare_token(content: str) -> None:
    assert read_auth_file(content.encode(), "auth.json") == one(
        NewAccount(refresh_token=Secret(RT))
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (
            {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x"},
            "holds an API key and no ChatGPT login",
        ),
        ({"OPENAI_API_KEY": "sk-x", "tokens": None}, "holds an API key and no ChatGPT login"),
        ({"auth_mode": "chatgpt", "tokens": {}}, "holds no access token and no refresh token"),
        ({"access_token": "eyJhbG...Qx9w"}, "its access token is none and was left out"),
        (
            {"type": "claude", "refresh_token": "sk-ant-x"},
            "its refresh token is none and was left out",
        ),
    ],
)
def test_no_login(value: Any, reason: str) -> None:
    assert read(value) == skipped(reason)


def test_what_is_wrong_with_a_part_is_told() -> None:
    assert read({"access_token": 5, "refresh_token": RT, "proxy": "ftp://x", "email": AT}) == one(
        NewAccount(refresh_token=Secret(RT)),
        "its access token is none and was left out",
        "its proxy is no http, https or socks5 address and was left out",
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b'{"tokens": {', "is damaged (line 1)"), (b"hello", "not a token")],
)
def test_damaged_files(content: bytes, reason: str) -> None:
    assert read_auth_file(content, "auth.json") == skipped(reason)
