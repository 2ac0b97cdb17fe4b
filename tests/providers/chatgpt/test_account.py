"""What is read out of the upstream's answers about an account, and what is asked for it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import (
    ACCOUNT_CLOSED,
    UpstreamAccessDenied,
    UpstreamAuthFailed,
    UpstreamRateLimited,
)
from chat2api.pool.values import Credential, Quota, QuotaWindow
from chat2api.providers.chatgpt.account import read_account, with_limits
from chat2api.providers.protocol import AccountCheck
from chat2api.secret import Secret

NOW = 1_780_000_000.0
CHECK = "GET /backend-api/accounts/check/v4-2023-04-27"
INIT = "POST /backend-api/conversation/init"
USAGE = "GET /backend-api/wham/usage"


def workspace(name: str, plan: str = "plus", /, **more: Any) -> dict[str, Any]:
    account = {"account_id": name, "plan_type": plan, "structure": "personal", **more}
    return {"account": account, "entitlement": {"has_active_subscription": False}}


def listed(*entries: dict[str, Any]) -> dict[str, Any]:
    ids = [entry["account"]["account_id"] for entry in entries]
    return {"accounts": dict(zip(ids, entries, strict=True)), "account_ordering": ids}


# --- reading


def test_the_workspace_asked_for_or_the_first() -> None:
    document = listed(workspace("w1"), workspace("w2", "team", is_deactivated=True, name="Acme"))
    first, second = (read_account(document, wish, NOW) for wish in (None, "w2"))
    assert (first.plan, first.closed) == ("plus", False)
    assert (second.plan, second.closed) == ("team", True)
    assert first.quota.workspaces == ("personal (w1)", "Acme (w2)")


def test_a_list_under_default() -> None:
    document = {"accounts": {"default": workspace("w1", "free")}}
    assert read_account(document, None, NOW) == AccountCheck(plan="free")


def test_the_end_of_a_subscription_while_there_is_one() -> None:
    entry = workspace("w1")
    entry["entitlement"] = {"has_active_subscription": True, "expires_at": "2026-07-01T00:00:00Z"}
    assert read_account(listed(entry), None, NOW).quota.ends_at == 1_782_864_000.0
    entry["entitlement"]["has_active_subscription"] = False
    assert read_account(listed(entry), None, NOW).quota.ends_at is None


def test_limits_and_what_is_left() -> None:
    init = {
        "model_limits": [
            {"model_slug": "gpt-5", "resets_after": NOW + 60},
            {"model_slug": "o3"},
            {"model_slug": "past", "resets_after": NOW - 60},
        ],
        "limits_progress": [
            {"feature_name": "image_gen", "remaining": 7, "reset_after": NOW + 9},
            {"feature_name": "odd", "remaining": "many"},
        ],
        "blocked_features": [{"name": "deep_research", "resets_after": 120}],
    }
    usage = {
        "email": "ann@example.com",
        "plan_type": "pro",
        "rate_limit": {
            "primary_window": {"used_percent": 62, "limit_window_seconds": 18_000, "reset_at": NOW},
            "secondary_window": {"used_percent": 104.5, "limit_window_seconds": 604_800},
        },
        "additional_rate_limits": [
            {"limit_name": "o3", "rate_limit": {"primary_window": {"used_percent": 1}}}
        ],
    }
    found = with_limits(AccountCheck(quota=Quota((), ("w",))), init, usage, NOW)
    assert (found.email, found.plan) == ("ann@example.com", "pro")
    assert found.limits == {"gpt-5": NOW + 60, "o3": NOW + 3600}
    assert found.quota == Quota(
        (
            QuotaWindow("5 h", 62.0, None, NOW),
            QuotaWindow("7 d", 100.0),
            QuotaWindow("o3", 1.0),
            QuotaWindow("image_gen", None, 7, NOW + 9),
            QuotaWindow("deep_research", None, 0, NOW + 120),
        ),
        ("w",),
    )


@pytest.mark.parametrize("limits", [None, {}, {"model_limits": None}, "text"])
def test_not_told_is_not_the_same_as_none(limits: Any) -> None:
    assert with_limits(AccountCheck(), limits, None, NOW).limits is None
    assert with_limits(AccountCheck(), {"model_limits": []}, None, NOW).limits == {}


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "accounts", "account_ordering", "account", "entitlement", "expires_at",
                    "plan_type", "model_limits", "model_slug", "resets_after", "limits_progress",
                    "feature_name", "remaining", "reset_after", "blocked_features", "name",
                    "rate_limit", "primary_window", "used_percent", "limit_window_seconds",
                    "additional_rate_limits", "has_active_subscription", "default",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(anything, anything, anything)
def test_nothing_that_is_answered_raises(check: Any, init: Any, usage: Any) -> None:
    found = with_limits(read_account(check, None, NOW), init, usage, NOW)
    assert isinstance(found.plan, str)
    assert len(found.quota.windows) <= 20


# --- asking


def test_three_questions(stage: Any, script: Any) -> None:
    stage.upstream.plays(CHECK, script.json(listed(workspace("w1", "pro"))))
    stage.upstream.plays(INIT, script.json({"model_limits": []}))
    stage.upstream.plays(USAGE, script.json({"email": "ann@example.com"}))
    found = stage.provider.check(stage.credential, stage.io)
    assert (found.plan, found.email, found.limits) == ("pro", "ann@example.com", {})
    assert stage.upstream.calls == ["GET /", CHECK, INIT, USAGE]
    (init,) = stage.upstream.sent(INIT)
    assert script.body(init)["conversation_id"] is None
    assert stage.upstream.all_closed


def test_an_older_upstream_knows_one_of_them(stage: Any, script: Any) -> None:
    stage.upstream.plays(CHECK, script.json(listed(workspace("w1"))))
    found = stage.provider.check(stage.credential, stage.io)
    assert (found.plan, found.limits) == ("plus", None)


def test_a_closed_workspace_is_asked_nothing_more(stage: Any, script: Any) -> None:
    document = listed(workspace("w1"), workspace("w2", is_deactivated=True))
    stage.upstream.plays(CHECK, script.json(document))
    team = replace(stage.credential, workspace_id="w2")
    assert stage.provider.check(team, stage.io).closed
    assert stage.upstream.calls == ["GET /", CHECK]


@pytest.mark.parametrize(
    ("route", "status", "body", "error"),
    [
        (CHECK, 401, {"detail": {"code": "token_expired"}}, UpstreamAuthFailed),
        (CHECK, 403, {"detail": "Unusual activity has been detected"}, UpstreamAccessDenied),
        (INIT, 429, {"detail": {"clears_in": 9}}, UpstreamRateLimited),
        (USAGE, 401, {"detail": {"code": "token_revoked"}}, UpstreamAuthFailed),
    ],
)
def test_refusals_are_told(
    stage: Any, script: Any, route: str, status: int, body: Any, error: type[Exception]
) -> None:
    stage.upstream.plays(CHECK, script.json(listed(workspace("w1"))))
    stage.upstream.plays(route, script.json(body, status))
    with pytest.raises(error):
        stage.provider.check(stage.credential, stage.io)


def test_a_closed_account_says_so(stage: Any, script: Any) -> None:
    body = {"error": {"code": "account_deactivated", "message": "Gone."}}
    stage.upstream.plays(CHECK, script.json(body, 401))
    with pytest.raises(UpstreamAuthFailed) as refused:
        stage.provider.check(stage.credential, stage.io)
    assert refused.value.code == ACCOUNT_CLOSED


def test_before_the_simulator(simulated: Any) -> None:
    stage = simulated()
    stage.clock.now = time.time()
    client = stage.upstream.app.test_client()
    wish = {"name": "ann", "plan": "pro", "quota": 4, "quota_seconds": 18_000}
    made = client.post("/_sim/accounts", json=wish).get_json()
    client.post("/_sim/accounts/ann/quota", json={"used": 4})
    credential = Credential("ann", Secret(made["access_token"]))
    found = stage.provider.check(credential, stage.io)
    assert (found.plan, found.email, found.closed) == ("pro", "ann@example.com", False)
    assert found.quota.windows[0].name == "5 h"
    assert found.quota.windows[0].used_percent == 100
    assert found.limits is not None
    assert found.limits["auto"] == pytest.approx(time.time() + 18_000, abs=5)
