"""The last exchange: a code for the first tokens."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chat2api.errors import UpstreamTimeout
from chat2api.providers.oauth import browser, device
from chat2api.providers.oauth.pkce import new_state, new_verifier
from chat2api.providers.oauth.signing_in import (
    CodeInHand,
    SignInFailed,
    SignInOptions,
    SignInRefused,
    exchange,
    issuer_of,
    plain_text,
)
from chat2api.secret import Secret

OPTIONS = SignInOptions(issuer="https://login.test")
HELD = CodeInHand(Secret("ac_1"), Secret("v_1"), "http://localhost:1455/auth/callback")
TOKEN = "POST /oauth/token"
ACCESS = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3OTAwMDAwMDB9.c2ln"


def exchanged(stage: Any, script: Any, document: Any, status: int = 200) -> Any:
    stage.upstream.plays(TOKEN, script.json(document, status))
    return exchange(OPTIONS, HELD, stage.io, time.time)


def test_a_form_with_everything_and_nothing_else(stage: Any, script: Any) -> None:
    document = {"access_token": ACCESS, "refresh_token": "rt_123456789", "id_token": ACCESS}
    grant = exchanged(stage, script, document)
    assert (grant.access_token, grant.refresh_token) == (Secret(ACCESS), Secret("rt_123456789"))
    assert grant.expires_at == 1_790_000_000
    (request,) = stage.upstream.requests
    assert request.url == "https://login.test/oauth/token"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["ac_1"],
        "redirect_uri": ["http://localhost:1455/auth/callback"],
        "client_id": ["app_EMoamEEZ73f0CkXaXp7hrann"],
        "code_verifier": ["v_1"],
    }


def test_the_token_address_may_be_elsewhere(stage: Any) -> None:
    options = SignInOptions(issuer="https://login.test", token_url="https://other.test/t")
    with pytest.raises(SignInRefused, match="404"):
        exchange(options, HELD, stage.io)
    assert stage.upstream.requests[0].url == "https://other.test/t"


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (400, {"error": "invalid_grant"}, "invalid_grant"),
        (400, {"error": "invalid_client"}, "invalid_client"),
        (401, {"error": {"code": "something_new"}}, "something_new"),
        (403, {}, "the token endpoint answered 403"),
        (200, {"access_token": "opaque-token"}, "the token endpoint's access token is none"),
        (200, {"refresh_token": "rt_123456789"}, "the login server gave no access token"),
    ],
)
def test_what_ends_a_login(
    stage: Any, script: Any, status: int, document: Any, reason: str
) -> None:
    with pytest.raises(SignInRefused) as raised:
        exchanged(stage, script, document, status)
    assert raised.value.reason == reason


@pytest.mark.parametrize("status", [429, 500, 502])
def test_what_may_be_tried_again(stage: Any, script: Any, status: int) -> None:
    with pytest.raises(SignInFailed, match=str(status)):
        exchanged(stage, script, {}, status)
    stage.upstream.plays(TOKEN, UpstreamTimeout("The login server took too long."))
    with pytest.raises(SignInFailed, match="took too long"):
        exchange(OPTIONS, HELD, stage.io)


def test_the_issuer_follows_from_the_token_address() -> None:
    assert issuer_of("https://login.test/oauth/token") == "https://login.test"
    assert issuer_of("https://login.test/t") == ""
    assert issuer_of("") == ""


@pytest.mark.parametrize("value", ["", None, 7, "a b", "a\n", "é", "x" * 5000])
def test_what_may_not_be_sent_or_shown(value: Any) -> None:
    assert plain_text(value) == ""
    assert plain_text("abc") == "abc"


# --- against the simulator, which shares no code with us


@pytest.fixture
def upstream(simulated: Any) -> Any:
    return simulated()


def approve(stage: Any, path: str, **fields: str) -> Any:
    return stage.upstream.app.test_client().post(path, data=fields)


def test_both_ways_lead_to_tokens(upstream: Any) -> None:
    options = SignInOptions(issuer="http://localhost")
    code = device.begin(options, upstream.io, time.time())
    assert device.poll(options, code.device_auth_id, code.user_code, upstream.io) == "pending"
    approve(upstream, "/codex/device", user_code=code.user_code, account="demo-plus")
    held = device.poll(options, code.device_auth_id, code.user_code, upstream.io)
    assert isinstance(held, CodeInHand)
    grant = exchange(options, held, upstream.io)
    assert grant.access_token is not None
    assert grant.refresh_token is not None

    verifier, state = new_verifier(), new_state()
    query = urlsplit(browser.authorize_url(options, verifier, state)).query
    fields = {name: values[0] for name, values in parse_qs(query).items()}
    answer = approve(upstream, "/oauth/authorize", **fields, account="demo-free")
    callback = browser.read_callback(answer.headers["Location"])
    assert callback.state == state.reveal()
    assert callback.code is not None
    grant = exchange(options, CodeInHand(callback.code, verifier, HELD.redirect_uri), upstream.io)
    assert grant.refresh_token is not None
    with pytest.raises(SignInRefused, match="invalid_grant"):
        exchange(options, CodeInHand(callback.code, verifier, HELD.redirect_uri), upstream.io)
