"""Routes of other servers: their shapes, for whoever has a key of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.web.compat import month_around

PATHS = [
    "/v1/accTokens",
    "/v1/usage",
    "/v1/dashboard/billing/usage",
    "/v1/dashboard/billing/subscription",
    "/api/usage/token",
    "/api/usage/token/",
]
CENTURY = 100 * 365 * 86_400


@pytest.mark.parametrize("path", PATHS)
def test_a_key_is_needed(site: Any, path: str) -> None:
    site.given["allow_anonymous"] = True
    for key in (None, "wrong", "eyJhbGciOiJSUzI1NiJ9.e30.of-the-caller"):
        answer = site.send("GET", path, key=key)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "invalid_api_key")
    assert site.send("GET", path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_browsers_of_any_origin_may_ask(site: Any, path: str) -> None:
    site.given["api_prefix"] = "hidden"
    answer = site.send("GET", f"/hidden{path}", headers={"Origin": "https://app.test"})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert site.send("GET", path).status_code == 404


def test_a_key_that_may_not_see_usage(site: Any) -> None:
    made = site.keys.create("narrow", scopes=["chat"])
    key = next(part.reveal() for part in made if isinstance(part, Secret))
    answer = site.send("GET", "/v1/usage", key=key)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "key_scope")


def test_account_counts(site: Any) -> None:
    accounts = [
        NewAccount(access_token=Secret("eyJhbGciOiJSUzI1NiJ9.e30.one")),
        NewAccount(refresh_token=Secret("rt_" + "a" * 40), refused="refused"),
    ]
    site.runtime.intake.add(accounts, "suite")
    document = site.send("GET", "/v1/accTokens").get_json()
    assert document == {"count": 2, "can_use_count": 1, "canUseCount": 1}


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/dashboard/billing/usage"])
def test_usage(site: Any, path: str) -> None:
    assert site.send("GET", path).get_json() == {
        "object": "list",
        "total_usage": 0,
        "current_usage_usd": 0,
        "daily_costs": [],
    }


def test_subscription(site: Any) -> None:
    document = site.send("GET", "/v1/dashboard/billing/subscription").get_json()
    times = {name: document.pop(name) for name in ("current_period_start", "current_period_end")}
    until = document.pop("access_until")
    assert document == {
        "object": "billing_subscription",
        "billing_period": "monthly",
        "plan": "chat2api",
        "account_name": "chat2api",
        "soft_limit_usd": 100,
        "hard_limit_usd": 100,
        "system_hard_limit_usd": 100,
        "soft_limit": 100,
        "hard_limit": 100,
        "system_hard_limit": 100,
        "has_payment_method": True,
        "has_active_subscription": True,
    }
    assert times["current_period_start"] <= until - CENTURY < times["current_period_end"]


def test_token_usage(site: Any) -> None:
    document = site.send("GET", "/api/usage/token").get_json()
    assert document.pop("expires_at") == document.pop("access_until") > CENTURY
    assert document == {
        "used": 0,
        "total": 100,
        "remaining": 100,
        "usage": 0,
        "limit": 100,
        "used_quota": 0,
        "remain_quota": 100,
        "quota": 100,
        "total_quota": 100,
        "used_tokens": 0,
        "total_tokens": 100,
        "remaining_tokens": 100,
        "unlimited_quota": False,
    }


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_the_month_around_a_moment(moment: datetime) -> None:
    begin, end = (datetime.fromtimestamp(at, UTC) for at in month_around(moment.timestamp()))
    assert begin <= moment < end
    assert (begin.year, begin.month, begin.day, begin.hour) == (moment.year, moment.month, 1, 0)
    assert (end.day, end.hour, (end.month - begin.month) % 12) == (1, 0, 1)
