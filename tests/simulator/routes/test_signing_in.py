"""The login server's pages and codes, from the first question to the first tokens."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chat2api.simulator.signing_in import challenge_of, new_verifier

CLIENT = "app_EMoamEEZ73f0CkXaXp7hrann"
REDIRECT = "http://localhost:1455/auth/callback"
DEVICE = "/api/accounts/deviceauth"


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


def begun(client: Any) -> dict[str, Any]:
    answer = client.post(f"{DEVICE}/usercode", json={"client_id": CLIENT})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def asked(client: Any, code: dict[str, Any]) -> Any:
    named = {"device_auth_id": code["device_auth_id"]}
    return client.post(f"{DEVICE}/token", json={**named, "user_code": code["user_code"]})


def traded(client: Any, **fields: str) -> Any:
    sent = {"grant_type": "authorization_code", "client_id": CLIENT, **fields}
    return client.post("/oauth/token", data=sent)


def test_a_person_enters_the_code_and_the_tokens_follow(client: Any, control: Any) -> None:
    code = begun(client)
    assert (code["interval"], set(code)) == ("5", {"device_auth_id", "user_code", "interval"})
    pending = asked(client, code)
    assert pending.status_code == 403
    assert client.get("/codex/device").status_code == 200
    entered = {"user_code": code["user_code"], "account": "demo-plus", "do": "allow"}
    page = client.post("/codex/device", data=entered)
    assert (page.status_code, b"As demo-plus" in page.data) == (200, True)
    granted = asked(client, code).get_json()
    assert granted["code_challenge"] == challenge_of(granted["code_verifier"])
    answer = traded(
        client,
        code=granted["authorization_code"],
        code_verifier=granted["code_verifier"],
        redirect_uri="http://localhost/deviceauth/callback",
    )
    tokens = answer.get_json()
    (account,) = (a for a in control("/accounts")["accounts"] if a["name"] == "demo-plus")
    assert tokens["access_token"] == account["access_token"]
    assert tokens["refresh_token"] == account["refresh_token"]
    renewed = client.post(
        "/oauth/token",
        json={
            "grant_type": "refresh_token",
            "client_id": CLIENT,
            "refresh_token": tokens["refresh_token"],
        },
    )
    assert renewed.status_code == 200
    assert "code_redeemed" in control("/stats")["counters"]


def test_somebody_new_is_made_on_the_spot(client: Any, control: Any) -> None:
    code = begun(client)
    client.post("/codex/device", data={"user_code": code["user_code"], "new_account": "zoe"})
    assert "zoe" in [one["name"] for one in control("/accounts")["accounts"]]
    assert asked(client, code).status_code == 200
    strange = {"user_code": begun(client)["user_code"], "new_account": "<b>"}
    assert client.post("/codex/device", data=strange).status_code == 400


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"do": "deny"}, 400, "access_denied"),
        ({"do": "expire"}, 400, "expired_token"),
    ],
)
def test_what_else_a_person_does(
    client: Any, control: Any, wish: dict[str, str], status: int, code: str
) -> None:
    begun_code = begun(client)
    control(f"/device/{begun_code['user_code']}", wish)
    answer = asked(client, begun_code)
    assert (answer.status_code, answer.get_json()["error"]) == (status, code)


def test_control_approves_and_lists(client: Any, control: Any) -> None:
    code = begun(client)
    path = f"/_sim/device/{code['user_code']}"
    for wrong in ({"do": "approve", "account": "nobody"}, {"do": "dance"}, []):
        assert client.post(path, json=wrong).status_code == 400
    assert client.post("/_sim/device/NONE-NONE", json={"do": "deny"}).status_code == 400
    control(f"/device/{code['user_code']}", {"do": "approve", "account": "demo-free"})
    assert client.post(path, json={"do": "deny"}).status_code == 400
    (listed,) = control("/device")["codes"]
    assert (listed["state"], listed["account"]) == ("approved", "demo-free")


def test_every_spelling(client: Any, control: Any, now: list[float]) -> None:
    control(
        "/config",
        {
            "device_code_field": "usercode",
            "device_interval": 2,
            "device_interval_form": "number",
            "device_expiry": "expires_in",
            "device_pending": "authorization_pending",
            "device_slow_down": True,
        },
    )
    code = begun(client)
    assert (code["interval"], code["expires_in"]) == (2, 900)
    code["user_code"] = code["usercode"]
    pending, too_soon = asked(client, code), asked(client, code)
    assert pending.get_json()["error"] == "authorization_pending"
    assert too_soon.get_json()["error"] == "slow_down"
    control("/config", {"device_expiry": "expires_at", "device_login": "offered"})
    assert begun(client)["expires_at"].endswith("+00:00")
    control("/config", {"device_login": "not_offered"})
    missing = client.post(f"{DEVICE}/usercode", json={"client_id": CLIENT})
    assert missing.status_code == 404


def test_strangers_have_no_code(client: Any) -> None:
    assert client.post(f"{DEVICE}/usercode", json={}).status_code == 400
    answer = client.post(f"{DEVICE}/token", json={"user_code": "X", "device_auth_id": "y"})
    assert answer.get_json()["error"] == "invalid_grant"


# --- the browser's way


def authorize_fields(verifier: str, **changed: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": REDIRECT,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        "state": "st<a>te",
        **changed,
    }


def test_a_browser_is_sent_back_with_a_code(client: Any) -> None:
    verifier = new_verifier()
    fields = authorize_fields(verifier)
    page = client.get("/oauth/authorize", query_string=fields)
    assert (page.status_code, b"st&lt;a&gt;te" in page.data) == (200, True)
    answer = client.post("/oauth/authorize", data={**fields, "account": "demo-free"})
    assert answer.status_code == 302
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert back["state"] == ["st<a>te"]
    fields = {"code": back["code"][0], "redirect_uri": REDIRECT, "code_verifier": verifier}
    assert traded(client, **fields).status_code == 200
    again = traded(client, **fields)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_grant")
    assert traded(client, code="x").get_json()["error"] == "invalid_request"


def test_a_person_may_say_no(client: Any) -> None:
    fields = authorize_fields(new_verifier(), do="deny", account="demo-free")
    answer = client.post("/oauth/authorize", data=fields)
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (back["error"], "code" in back) == (["access_denied"], False)
    page = client.post(
        "/codex/device", data={"user_code": begun(client)["user_code"], "do": "deny"}
    )
    assert b"Nobody is logged in" in page.data


@pytest.mark.parametrize(
    "changed",
    [
        {"response_type": "token"},
        {"client_id": ""},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"redirect_uri": "http://localhost:9/auth/callback"},
    ],
)
def test_a_login_that_is_not_asked_for_properly(client: Any, changed: dict[str, str]) -> None:
    fields = authorize_fields(new_verifier(), **changed)
    assert client.get("/oauth/authorize", query_string=fields).status_code == 400
    assert client.post("/oauth/authorize", data={**fields, "account": "nobody"}).status_code == 400


def test_faults_reach_the_login_server(client: Any, control: Any) -> None:
    control("/next", {"endpoint": "device_usercode", "fault": "status", "params": {"status": 503}})
    answer = client.post(f"{DEVICE}/usercode", json={"client_id": CLIENT})
    assert answer.status_code == 503
    control("/next", {"endpoint": "oauth_token", "fault": "status", "params": {"status": 502}})
    assert traded(client, code="x").status_code == 502
    assert control("/refreshes")["refreshes"] == []
