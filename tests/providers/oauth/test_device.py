"""Device codes: what is sent, and every way in which login servers write their answers."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import UpstreamConnectionError
from chat2api.providers.oauth import device
from chat2api.providers.oauth.signing_in import (
    CodeInHand,
    NotOffered,
    SignInFailed,
    SignInOptions,
    SignInRefused,
)
from chat2api.secret import Secret

NOW = 1_780_000_000.0
OPTIONS = SignInOptions(issuer="https://login.test")
BEGIN = "POST /api/accounts/deviceauth/usercode"
POLL = "POST /api/accounts/deviceauth/token"
CODE = {"device_auth_id": "da_1", "user_code": "ABCD-1234", "interval": "5"}


def begun(stage: Any, script: Any, document: Any, status: int = 200) -> device.DeviceCode:
    stage.upstream.plays(BEGIN, script.json(document, status))
    return device.begin(OPTIONS, stage.io, NOW)


def polled(stage: Any, script: Any, document: Any, status: int = 200) -> Any:
    stage.upstream.plays(POLL, script.json(document, status))
    return device.poll(OPTIONS, Secret("da_1"), "ABCD-1234", stage.io)


def test_a_code_is_asked_for(stage: Any, script: Any) -> None:
    stage.proxy = Secret("http://p.test:1")
    code = begun(stage, script, CODE)
    assert code == device.DeviceCode("ABCD-1234", Secret("da_1"), 5.0, NOW + 900)
    (request,) = stage.upstream.requests
    assert request.url == "https://login.test/api/accounts/deviceauth/usercode"
    assert script.body(request) == {"client_id": "app_EMoamEEZ73f0CkXaXp7hrann"}
    assert request.proxy == Secret("http://p.test:1")
    assert device.device_page(OPTIONS) == "https://login.test/codex/device"
    assert stage.upstream.all_closed


@pytest.mark.parametrize(
    ("changed", "interval", "lasts"),
    [
        ({"interval": 7}, 7, 900),
        ({"interval": "2.5"}, 2.5, 900),
        ({"interval": None}, 5, 900),
        ({"interval": "soon"}, 5, 900),
        ({"interval": True}, 5, 900),
        ({"interval": 0}, 5, 900),
        ({"interval": 0.01}, 1, 900),
        ({"interval": 9_999}, 60, 900),
        ({"interval": "1e999"}, 5, 900),
        ({"expires_in": 300}, 5, 300),
        ({"expires_in": "300"}, 5, 300),
        ({"expires_in": 10**9}, 5, 3600),
        ({"expires_in": -1}, 5, 900),
        ({"expires_at": NOW + 60}, 5, 60),
        ({"expires_at": "2026-05-28T20:27:40Z"}, 5, 60),
        ({"expires_at": "2026-05-28T20:27:40"}, 5, 60),
        ({"expires_at": "tomorrow"}, 5, 900),
    ],
)
def test_numbers_however_they_are_written(
    stage: Any, script: Any, changed: dict[str, Any], interval: float, lasts: float
) -> None:
    code = begun(stage, script, {**CODE, **changed})
    assert (code.interval_seconds, code.expires_at - NOW) == (interval, lasts)


def test_the_other_name_of_the_code(stage: Any, script: Any) -> None:
    assert begun(stage, script, {"device_auth_id": "d", "usercode": "XYZ9"}).user_code == "XYZ9"


def test_not_offered(stage: Any, script: Any) -> None:
    with pytest.raises(NotOffered):
        begun(stage, script, {"error": {"code": "not_found"}}, 404)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_login_server_in_trouble(stage: Any, script: Any, status: int) -> None:
    with pytest.raises(SignInFailed, match=f"answered {status}"):
        begun(stage, script, {}, status)


def test_a_login_server_that_refuses_us(stage: Any, script: Any) -> None:
    stage.upstream.plays(BEGIN, script.page("<h1>Just a moment</h1>", 403))
    with pytest.raises(SignInRefused, match=r"answered 403$"):
        device.begin(OPTIONS, stage.io, NOW)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"user_code": "ABCD-1234"},
        {**CODE, "user_code": "<b>"},
        {**CODE, "user_code": 1234},
        {**CODE, "user_code": "A" * 80},
        {**CODE, "device_auth_id": "a b"},
        {**CODE, "device_auth_id": "a\u202eb"},
    ],
)
def test_an_answer_that_makes_no_sense(stage: Any, script: Any, document: Any) -> None:
    with pytest.raises(SignInFailed, match="no code"):
        begun(stage, script, document)


def test_nobody_is_there(stage: Any) -> None:
    stage.upstream.plays(BEGIN, UpstreamConnectionError("No connection (stage: connect)."))
    with pytest.raises(SignInFailed, match="stage: connect"):
        device.begin(OPTIONS, stage.io, NOW)


# --- asking


def test_what_is_asked_and_what_comes_in_the_end(stage: Any, script: Any) -> None:
    document = {"authorization_code": "ac_1", "code_challenge": "c", "code_verifier": "v_1"}
    found = polled(stage, script, document)
    expected = "https://login.test/deviceauth/callback"
    assert found == CodeInHand(Secret("ac_1"), Secret("v_1"), expected)
    (request,) = stage.upstream.requests
    assert script.body(request) == {"device_auth_id": "da_1", "user_code": "ABCD-1234"}


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (403, {}),
        (404, {"error": {"code": "deviceauth_authorization_unknown"}}),
        (403, {"error": "access_denied"}),  # a gate on the way may say this, too
        (400, {"error": "authorization_pending"}),
        (428, {"error": {"code": "authorization_pending"}}),
    ],
)
def test_not_yet(stage: Any, script: Any, status: int, document: Any) -> None:
    assert polled(stage, script, document, status) == "pending"


@pytest.mark.parametrize(
    ("status", "document"), [(400, {"error": "slow_down"}), (403, {"code": "slow_down"}), (429, {})]
)
def test_slower(stage: Any, script: Any, status: int, document: Any) -> None:
    assert polled(stage, script, document, status) == "slow_down"


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (400, {"error": "access_denied"}, "access_denied"),
        (400, {"error": "expired_token"}, "expired_token"),
        (410, {}, "the login server answered 410"),
        (401, {"error": {"code": "sk-" + "a" * 40}}, "the login server answered 401"),
    ],
)
def test_the_end(stage: Any, script: Any, status: int, document: Any, reason: str) -> None:
    with pytest.raises(SignInRefused) as raised:
        polled(stage, script, document, status)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("status", "document"), [(500, {}), (503, []), (200, {}), (200, {"authorization_code": "a"})]
)
def test_trouble_on_the_way(stage: Any, script: Any, status: int, document: Any) -> None:
    with pytest.raises(SignInFailed):
        polled(stage, script, document, status)
