"""The token endpoint: what it asks, answers, refuses and remembers."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from typing import Any

import pytest

RT = {"name": "ann", "refresh": "rt"}


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def models_status(caller: Any, token: str) -> int:
    bearer = {"Authorization": f"Bearer {token}"}
    status: int = caller.call("GET", "/backend-api/models", None, bearer).status
    return status


@pytest.mark.parametrize("form", [False, True])
def test_a_token_is_rotated(form: bool, control: Any, trade: Any, caller: Any) -> None:
    ann = control("/accounts", {**RT, "plan": "team", "lifetime_seconds": 600})
    answer = trade(ann, form=form, scope="openid profile email")
    assert answer.status_code == 200
    found = answer.get_json()
    now = control("/accounts")["accounts"][-1]
    assert found["access_token"] == now["access_token"] != ann["access_token"]
    assert found["refresh_token"] == now["refresh_token"] != ann["refresh_token"]
    assert (now["refreshes"], now["reused"]) == (1, 0)
    rest = {name: found[name] for name in ("token_type", "expires_in", "scope")}
    assert rest == {"token_type": "Bearer", "expires_in": 600, "scope": "openid profile email"}
    access, identity = claims(found["access_token"]), claims(found["id_token"])
    assert access["client_id"] == identity["aud"][0] == ann["client_id"]
    assert (access["exp"] - access["iat"], identity["email"]) == (600, "ann@example.com")
    both = [models_status(caller, one["access_token"]) for one in (ann, now)]
    assert both == [200, 200]


def test_an_access_token_ends_with_its_own_time(
    control: Any, trade: Any, caller: Any, now: list[float]
) -> None:
    old = control("/accounts", {**RT, "lifetime_seconds": 600})
    now[0] += 400
    new = trade(old).get_json()
    now[0] += 200
    answer = caller.call(
        "GET", "/backend-api/me", None, {"Authorization": f"Bearer {old['access_token']}"}
    )
    assert (answer.status, answer.json()["detail"]["code"]) == (401, "token_expired")
    assert models_status(caller, new["access_token"]) == 200


def test_a_refresh_may_end_older_access_tokens(control: Any, trade: Any, caller: Any) -> None:
    control("/config", {"refresh_invalidates_access": True, "lifetime_seconds": 77})
    old = control("/accounts", RT)
    new = trade(old).get_json()
    assert new["expires_in"] == 77
    answer = caller.call(
        "GET", "/backend-api/me", None, {"Authorization": f"Bearer {old['access_token']}"}
    )
    assert (answer.status, answer.json()["error"]["code"]) == (401, "token_invalidated")
    assert models_status(caller, new["access_token"]) == 200


def test_old_tokens_do_not_rotate(control: Any, trade: Any) -> None:
    ann = control("/accounts", {"name": "ann", "refresh": "legacy"})
    assert len(ann["refresh_token"]) == 45
    redirect = "com.openai.chat://auth0.openai.com/ios/com.openai.chat/callback"
    answers = [trade(ann, redirect_uri=redirect).get_json() for _ in range(2)]
    assert ["refresh_token" in one for one in answers] == [False, False]
    assert answers[0]["access_token"] != answers[1]["access_token"]


def test_a_spent_token_is_refused_and_counted(control: Any, trade: Any) -> None:
    ann = control("/accounts", RT)
    assert trade(ann).status_code == 200
    answer = trade(ann)
    assert answer.status_code == 401
    text = "Your refresh token has already been used. Please log in again."
    code = "refresh_token_reused"
    assert answer.get_json() == {
        "error": {"code": code, "message": text, "type": code, "param": None}
    }
    counters = control("/stats")["counters"]
    assert (counters["refresh_rotated"], counters["refresh_reused"]) == (1, 1)
    assert counters["refresh_reused.ann"] == 1
    assert control("/accounts")["accounts"][-1]["reused"] == 1


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("expire", 401, "refresh_token_expired"),
        ("revoke", 401, "refresh_token_invalidated"),
    ],
)
def test_ended_tokens_are_refused(
    what: str, status: int, code: str, control: Any, trade: Any
) -> None:
    ann = control("/accounts", RT)
    control(f"/accounts/ann/{what}", {"what": "refresh"})
    answer = trade(ann)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("changed", "code", "outcome"),
    [
        ({"refresh_token": "rt_stranger"}, "invalid_grant", "unknown"),
        ({"client_id": "app_Y"}, "invalid_grant", "wrong_client"),
        ({"grant_type": "password"}, "unsupported_grant_type", "malformed"),
        ({"grant_type": None}, "invalid_request", "malformed"),
        ({"client_id": None}, "invalid_request", "malformed"),
        ({"refresh_token": None}, "invalid_request", "malformed"),
        ({"refresh_token": 17}, "invalid_request", "malformed"),
    ],
)
def test_wrong_requests_are_refused(
    changed: dict[str, Any], code: str, outcome: str, control: Any, trade: Any
) -> None:
    ann = control("/accounts", RT)
    answer = trade(ann, **changed)
    assert (answer.status_code, answer.get_json()["error"]) == (400, code)
    assert [one["outcome"] for one in control("/refreshes")["refreshes"]] == [outcome]
    assert trade(ann).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_what_is_no_request_at_all(body: bytes, app: Any, control: Any) -> None:
    answer = app.test_client().post("/oauth/token", data=body)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")
    assert control("/requests")["requests"][-1]["body"] == {}


def test_what_is_no_request_is_not_written_down(app: Any, control: Any) -> None:
    kind = "application/x-www-form-urlencoded"
    app.test_client().post("/oauth/token", data='{"refresh_token": "rt_a="}', content_type=kind)
    assert control("/requests")["requests"][-1]["body"] == {}


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("string", {"error": "refresh_token_expired", "error_description": ...}),
        ("code", {"code": "refresh_token_expired", "message": ...}),
    ],
)
def test_codes_stand_in_several_places(
    form: str, body: dict[str, Any], control: Any, trade: Any
) -> None:
    control("/config", {"oauth_errors": form})
    ann = control("/accounts", RT)
    control("/accounts/ann/expire", {})
    text = "Your refresh token has expired. Please log in again."
    wanted = {name: text if value is ... else value for name, value in body.items()}
    assert trade(ann).get_json() == wanted


def test_no_token_is_written_down(control: Any, trade: Any) -> None:
    ann = control("/accounts", RT)
    found = trade(ann).get_json()
    trade(ann, refresh_token="rt_of_a_stranger", form=True)
    known, stranger = control("/requests?endpoint=oauth_token")["requests"]
    assert (known["account"], known["body"]["refresh_token"]) == ("ann", "<ann>")
    assert stranger["account"].startswith("unknown:")
    told = json.dumps([known, stranger, control("/refreshes"), control("/stats")])
    secrets = [ann["refresh_token"], found["refresh_token"], found["access_token"]]
    assert [one for one in (*secrets, "rt_of_a_stranger") if one in told] == []


def test_the_ledger_tells_every_exchange(control: Any, trade: Any, now: list[float]) -> None:
    ann = control("/accounts", RT)
    new = trade(ann).get_json()
    trade(ann)
    control("/next", {"endpoint": "oauth_token", "fault": "status", "account": "ann"})
    assert trade({**ann, **new}).status_code == 500
    first, second, third = control("/refreshes?account=ann")["refreshes"]
    assert first == {
        "id": 1,
        "at": now[0],
        "account": "ann",
        "token": second["token"],
        "client_id": ann["client_id"],
        "outcome": "rotated",
        "successor": third["token"],
        "delivered": True,
    }
    assert [second["outcome"], third["outcome"]] == ["reused", "fault"]
    assert control("/refreshes?since=2")["refreshes"] == [third]
    assert trade({**ann, **new}).status_code == 200


def test_a_queued_fault_may_be_for_one_account(control: Any, trade: Any) -> None:
    ann, bob = control("/accounts", [RT, {"name": "bob", "refresh": "rt"}])
    control("/next", {"endpoint": "oauth_token", "fault": "page", "account": "bob"})
    assert trade(ann).headers["Content-Type"] == "application/json"
    assert trade(bob).headers["Content-Type"].startswith("text/html")


def test_of_many_at_once_one_is_served(start: Any) -> None:
    live = start("--set", "pacing=0")
    ann = live.control("/accounts", RT)
    body = {"grant_type": "refresh_token", **{n: ann[n] for n in ("client_id", "refresh_token")}}
    barrier = threading.Barrier(12)
    statuses: list[int] = []

    def run() -> None:
        barrier.wait(timeout=10)
        statuses.append(live.send("POST", "/oauth/token", {}, body).status)

    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert Counter(statuses) == {200: 1, 401: 11}
    counters = live.control("/stats")["counters"]
    assert (counters["refresh_rotated"], counters["refresh_reused.ann"]) == (1, 11)
