"""The address where a person logs in, and what they may paste back."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.providers.oauth.browser import Callback, Unreadable, authorize_url, read_callback
from chat2api.providers.oauth.pkce import challenge_of
from chat2api.providers.oauth.signing_in import SignInOptions
from chat2api.secret import Secret

VERIFIER, STATE = Secret("v" * 64), Secret("state-1")
HOME = "http://localhost:1455/auth/callback"


def test_the_address_is_the_sheets() -> None:
    address = authorize_url(SignInOptions(), VERIFIER, STATE)
    parts = urlsplit(address)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == (
        "https://auth.openai.com/oauth/authorize"
    )
    assert dict(parse_qsl(parts.query)) == {
        "response_type": "code",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "redirect_uri": HOME,
        "scope": "openid profile email offline_access",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": "state-1",
        "originator": "chat2api",
        "prompt": "login",
    }
    assert "v" * 64 not in address


def test_settings_change_it() -> None:
    options = SignInOptions(
        issuer="https://login.test",
        authorize_url="https://elsewhere.test/authorize",
        client_id="app_1",
        redirect_uri="http://localhost:9/cb",
        scope="openid",
    )
    address = authorize_url(options, VERIFIER, STATE, workspace_id="ws-1")
    fields = dict(parse_qsl(urlsplit(address).query))
    assert address.startswith("https://elsewhere.test/authorize?")
    told = [fields[name] for name in ("client_id", "redirect_uri", "scope", "allowed_workspace_id")]
    assert told == ["app_1", "http://localhost:9/cb", "openid", "ws-1"]
    plain = SignInOptions(issuer="https://login.test")
    assert authorize_url(plain, VERIFIER, STATE).startswith("https://login.test/oauth/authorize?")


@pytest.mark.parametrize(
    "text",
    [
        f"{HOME}?code=ac_1&state=s1",
        f"  {HOME}?state=s1&code=ac_1&scope=openid+profile \n",
        f"{HOME}?code=ac_1&sta\nte=s1",
        "localhost:1455/auth/callback?code=ac_1&state=s1",
        "/auth/callback?code=ac_1&state=s1",
        "?code=ac_1&state=s1",
        "code=ac_1&state=s1",
        f"{HOME}#code=ac_1&state=s1",
    ],
)
def test_the_address_of_the_last_page(text: str) -> None:
    assert read_callback(text) == Callback(Secret("ac_1"), "s1")


def test_a_code_alone() -> None:
    assert read_callback(" ac_0123456-x.y~z \n") == Callback(Secret("ac_0123456-x.y~z"), None)


def test_an_address_without_its_state_is_not_taken_for_a_bare_code() -> None:
    assert read_callback(f"{HOME}?code=ac_1").state == ""


def test_an_error_is_told() -> None:
    text = f"{HOME}?error=access_denied&error_description=No+%1b%5b31m+way&state=s1"
    assert read_callback(text) == Callback(None, "s1", "No [31m way")
    assert read_callback(f"{HOME}?error=access_denied").error == "access_denied"
    assert len(read_callback(f"{HOME}?error={'x' * 5000}").error) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        HOME,
        "https://example.com/",
        f"{HOME}?code=&state=s",
        f"{HOME}?code=a%20b&state=s",
        f"{HOME}?code=%00&state=s",
        "<script>alert(1)</script>",
        "http://[::1?code=ac_1&state=s1",
        "code=" + "a" * 20_000,
        "code=a&" + "x=1&" * 100,
        "密码密码密码密码",
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read_callback(text)


@given(st.text())
def test_no_text_is_a_surprise(text: str) -> None:
    for one in (text, f"code={text}", f"{HOME}?code=ac_1&state={text}"):
        try:
            found = read_callback(one)
        except Unreadable:
            continue
        assert found.code is not None or found.error
