"""Models, person and account in the shapes of the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def test_the_model_list(caller: Any, control: Any) -> None:
    control("/config", {"generation": "2026"})
    found = caller.call("GET", "/backend-api/models?history_and_training_disabled=false").json()
    thinking = next(one for one in found["models"] if one["slug"] == "gpt-5-5-thinking")
    assert thinking["thinking_efforts"] == [
        {"thinking_effort": "standard"},
        {"thinking_effort": "extended"},
    ]
    assert found["default_model_slug"] == "gpt-5-5"
    assert found["categories"][0]["default_model"] == "gpt-5-5"


def test_the_anonymous_list_is_short(anonymous: Any, control: Any) -> None:
    control("/config", {"generation": "2026"})
    found = anonymous.call("GET", "/backend-anon/models?iim=false&is_gizmo=false").json()
    assert {one["slug"] for one in found["models"]} == {"auto", "gpt-5-mini"}


def test_the_person(caller: Any) -> None:
    found = caller.call("GET", "/backend-api/me").json()
    assert (found["object"], found["id"], found["email"]) == (
        "user",
        "user-demo-plus",
        "demo-plus@example.com",
    )


def test_the_workspaces(caller: Any, control: Any) -> None:
    ids = control("/accounts")["accounts"][0]["workspaces"]
    found = caller.call("GET", "/backend-api/accounts/check/v4-2023-04-27").json()
    assert found["account_ordering"] == ids
    kinds = [found["accounts"][one]["account"]["structure"] for one in ids]
    assert kinds == ["personal", "workspace"]


def test_the_limits(caller: Any) -> None:
    found = caller.post("/conversation/init", {"gizmo_id": None}).json()
    assert found["type"] == "conversation_detail_metadata"
    assert {one["feature_name"] for one in found["limits_progress"]} == {
        "deep_research",
        "file_upload",
        "image_gen",
    }


def model_limits(caller: Any, account: Any) -> dict[str, str]:
    path = "/backend-api/conversation/init"
    found = caller.call("POST", path, {"gizmo_id": None}, bearer(account)).json()
    return {one["model_slug"]: one["resets_after"] for one in found["model_limits"]}


def test_a_used_up_quota_shows_as_a_limit(caller: Any, control: Any, now: list[float]) -> None:
    control("/config", {"generation": "2026"})
    one = {"name": "ann", "quota": 2, "quota_seconds": 60, "quota_models": ["o3", "gpt-5-5"]}
    ann, bob = control("/accounts", [one, {"name": "bob", "quota": 1, "quota_seconds": 60}])
    assert model_limits(caller, ann) == model_limits(caller, bob) == {}
    control("/accounts/ann/quota", {"used": 2})
    control("/accounts/bob/quota", {"used": 1})
    end = datetime.fromtimestamp(now[0] + 60, UTC).isoformat()
    assert model_limits(caller, ann) == {"o3": end, "gpt-5-5": end}
    assert {"auto", "gpt-5-5"} <= set(model_limits(caller, bob))
    now[0] += 60
    assert model_limits(caller, bob) == {}


def bearer(account: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {account['access_token']}"}


def test_teams_and_deactivated_workspaces(caller: Any, control: Any) -> None:
    wish = {"name": "ann", "plan": "team", "workspaces": ["w1", "w2"], "deactivated": ["w2"]}
    ann = control("/accounts", wish)
    path = "/backend-api/accounts/check/v4-2023-04-27"
    found = caller.call("GET", path, None, bearer(ann)).json()["accounts"]
    shown = {
        one: (
            found[one]["account"]["structure"],
            found[one]["account"]["plan_type"],
            found[one]["account"]["is_deactivated"],
            found[one]["entitlement"]["has_active_subscription"],
        )
        for one in ("w1", "w2")
    }
    assert shown == {
        "w1": ("workspace", "team", False, True),
        "w2": ("workspace", "team", True, False),
    }


def test_a_deactivated_account_shows_it_everywhere(caller: Any, control: Any) -> None:
    ann = control("/accounts", {"name": "ann", "deactivated": True})
    path = "/backend-api/accounts/check/v4-2023-04-27"
    found = caller.call("GET", path, None, bearer(ann)).json()["accounts"]
    assert [one["account"]["is_deactivated"] for one in found.values()] == [True]


def usage(caller: Any, account: Any) -> Any:
    return caller.call("GET", "/backend-api/wham/usage", None, bearer(account)).json()


def limit(used: int, seconds: int, left: int, resets_at: int) -> dict[str, Any]:
    return {
        "allowed": used < 100,
        "limit_reached": used >= 100,
        "primary_window": {
            "used_percent": used,
            "limit_window_seconds": seconds,
            "reset_after_seconds": left,
            "reset_at": resets_at,
        },
        "secondary_window": None,
    }


def test_usage_of_one_quota(caller: Any, control: Any, now: list[float]) -> None:
    wish = {"name": "ann", "workspaces": ["w1"], "quota": 4, "quota_seconds": 600}
    ann, start = control("/accounts", wish), int(now[0])
    control("/accounts/ann/quota", {"used": 1})
    now[0] += 100
    assert usage(caller, ann) == {
        "account_id": "w1",
        "user_id": "user-ann",
        "email": "ann@example.com",
        "plan_type": "plus",
        "rate_limit": limit(25, 600, 500, start + 600),
        "additional_rate_limits": [],
        "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
        "rate_limit_reached_type": None,
        "rate_limit_reset_credits": {"available_count": 0},
    }
    control("/accounts/ann/quota", {"used": 4})
    full = usage(caller, ann)
    assert full["rate_limit"] == limit(100, 600, 500, start + 600)
    assert full["rate_limit_reached_type"] == {"type": "rate_limit_reached"}
    now[0] += 500
    assert usage(caller, ann)["rate_limit"] == limit(0, 600, 600, start + 1200)


def test_usage_by_model_and_without_a_quota(caller: Any, control: Any, now: list[float]) -> None:
    wish = {"name": "ann", "quota": 2, "quota_seconds": 60, "quota_models": ["o3"]}
    ann, free = control("/accounts", [wish, {"name": "bob"}])
    control("/accounts/ann/quota", {"used": 2})
    found, end = usage(caller, ann), int(now[0])
    assert found["rate_limit"] == limit(0, 10_800, 10_800, end + 10_800)
    full = limit(100, 60, 60, end + 60)
    assert found["additional_rate_limits"] == [
        {"limit_name": "o3", "metered_feature": "o3", "rate_limit": full}
    ]
    assert usage(caller, free)["rate_limit"] == limit(0, 10_800, 10_800, end + 10_800)
