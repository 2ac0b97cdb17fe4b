"""Accounts by control: adding, ending their tokens, quotas."""

from __future__ import annotations

from typing import Any

import pytest

NOW = 1_800_000_000.0


def test_an_account_as_it_is_shown(control: Any) -> None:
    shown = control("/accounts", {"name": "ann", "workspaces": ["w1", "w2"]})
    assert shown.pop("access_token").startswith("eyJhbGciOiJSUzI1NiI")
    assert shown == {
        "name": "ann",
        "refresh_token": None,
        "client_id": "app_SIMULATOR",
        "plan": "plus",
        "workspaces": ["w1", "w2"],
        "deactivated": [],
        "expires_at": NOW + 864_000,
        "refresh_expires_at": None,
        "refresh_revoked": None,
        "refreshes": 0,
        "reused": 0,
        "quota": None,
    }


def test_an_account_with_everything(control: Any) -> None:
    wish = {
        "name": "ann",
        "plan": "team",
        "workspaces": ["w1", "w2"],
        "deactivated": ["w2"],
        "refresh": "rt",
        "client_id": "app_X",
        "lifetime_seconds": 60,
        "quota": 5,
        "quota_seconds": 100,
        "quota_models": ["o3"],
    }
    control("/config", {"refresh_seconds": 1000})
    shown = control("/accounts", wish)
    window = {"model": "o3", "turns": 5, "used": 0, "seconds": 100.0, "resets_at": None}
    wanted = {"client_id": "app_X", "deactivated": ["w2"], "expires_at": NOW + 60}
    wanted |= {"refresh_expires_at": NOW + 1000, "refresh_revoked": False, "quota": [window]}
    assert {name: shown[name] for name in wanted} == wanted
    assert control("/accounts")["accounts"][-1] == shown


def test_a_token_may_be_expired_from_the_start(control: Any, trade: Any) -> None:
    shown = control("/accounts", {"name": "ann", "refresh": "rt", "expired": True})
    assert shown["expires_at"] == NOW - 60
    assert trade(shown).get_json()["expires_in"] == 864_000


def test_thousands_at_once(control: Any) -> None:
    wishes = [{"name": f"acc-{n}", "refresh": "rt"} for n in range(10_000)]
    added = control("/accounts", wishes)
    assert [one["name"] for one in added] == [one["name"] for one in wishes]
    assert len({one["refresh_token"] for one in added}) == 10_000
    assert control("/accounts")["accounts"][2:] == added


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        (None, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "refrsh": "rt"}, "'refrsh'"),
        ({"name": "x", "refresh": "new"}, "refresh='new'"),
        ({"name": "x", "workspaces": "w1"}, "workspaces"),
        ({"name": "x", "deactivated": "yes"}, "deactivated"),
        ({"name": "x", "quota": -1}, "quota"),
        ({"name": "x", "quota": 1, "quota_seconds": 0}, "quota_seconds"),
        ({"name": "x", "quota": 1, "quota_models": [1]}, "quota_models"),
        ({"name": "x", "lifetime_seconds": "long"}, "lifetime_seconds"),
    ],
)
def test_of_a_list_with_a_mistake_nothing_is_added(
    wish: Any, named: str, control: Any, app: Any
) -> None:
    before = control("/accounts")
    answer = app.test_client().post("/_sim/accounts", json=[{"name": "good"}, wish])
    assert answer.status_code == 400
    assert named in answer.get_json()["error"]
    assert control("/accounts") == before


@pytest.mark.parametrize(
    ("what", "access", "refresh"),
    [("access", 401, 200), ("refresh", 200, 401), ("both", 401, 401), (None, 401, 401)],
)
@pytest.mark.parametrize("how", ["expire", "revoke"])
def test_ending_tokens(
    how: str, what: str | None, access: int, refresh: int, control: Any, trade: Any, caller: Any
) -> None:
    ann = control("/accounts", {"name": "ann", "refresh": "rt"})
    control(f"/accounts/ann/{how}", {"what": what} if what else {})
    bearer = {"Authorization": f"Bearer {ann['access_token']}"}
    assert caller.call("GET", "/backend-api/me", None, bearer).status == access
    assert trade(ann).status_code == refresh


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("nobody/expire", {}, "'nobody'"),
        ("nobody/revoke", {}, "'nobody'"),
        ("nobody/quota", {"used": 1}, "'nobody'"),
        ("demo-plus/expire", {"what": "all"}, "what"),
        ("demo-plus/revoke", ["access"], "what"),
        ("demo-plus/quota", {"used": 1}, "quota"),
    ],
)
def test_mistakes_are_named(path: str, body: Any, named: str, app: Any) -> None:
    answer = app.test_client().post(f"/_sim/accounts/{path}", json=body)
    assert answer.status_code == 400
    assert named in answer.get_json()["error"]


def test_quotas_can_be_moved(control: Any) -> None:
    control("/accounts", {"name": "ann", "quota": 5, "quota_seconds": 100})
    (window,) = control("/accounts/ann/quota", {"used": 4})["quota"]
    assert (window["used"], window["resets_at"]) == (4, NOW + 100)
    (window,) = control("/accounts/ann/quota", {"used": 0})["quota"]
    assert (window["used"], window["resets_at"]) == (0, None)


def test_a_reset_forgets_counts_but_no_tokens(control: Any, trade: Any) -> None:
    ann = control("/accounts", {"name": "ann", "refresh": "rt", "quota": 5})
    new = trade(ann).get_json()
    control("/accounts/ann/quota", {"used": 4})
    control("/reset", {})
    assert control("/refreshes") == {"refreshes": []}
    shown = control("/accounts")["accounts"][-1]
    assert (shown["refreshes"], shown["quota"][0]["used"]) == (0, 0)
    assert shown["refresh_token"] == new["refresh_token"]
    assert trade(ann).status_code == 401


@pytest.mark.parametrize("path", ["/_sim/accounts", "/_sim/refreshes"])
def test_for_this_machine_only(path: str, app: Any) -> None:
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    assert app.test_client().get(path, environ_overrides=elsewhere).status_code == 403
