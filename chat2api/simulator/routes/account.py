"""Models, the person, the account, its limits and its usage (sheet 10.1 to 10.3)."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from chat2api.simulator import models
from chat2api.simulator.accounts import TEAM_PLANS, Account
from chat2api.simulator.codex import limits
from chat2api.simulator.documents import Json
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.quotas import ALL_MODELS, Window
from chat2api.simulator.refusals import Reply, json_reply


def list_models(exchange: Exchange) -> Reply:
    """GET {B}/models"""
    exchange.identify()
    generation = exchange.simulator.config.generation
    offered = models.visible(generation, paid=exchange.is_paid, anonymous=exchange.anonymous)
    return json_reply(models.listing(offered, "2024" if generation == "2024" else "2026"))


def me(exchange: Exchange) -> Reply:
    """GET /backend-api/me"""
    exchange.identify()
    account = exchange.account
    assert account is not None
    person = {
        "object": "user",
        "id": account.user_id,
        "email": account.email,
        "name": account.name,
        "picture": None,
        "phone_number": None,
        "orgs": {"object": "list", "data": []},
    }
    return json_reply(person)


def accounts_check(exchange: Exchange) -> Reply:
    """GET /backend-api/accounts/check/v4-2023-04-27"""
    exchange.identify()
    account = exchange.account
    assert account is not None
    entries = {workspace: _workspace(account, workspace) for workspace in account.workspaces}
    return json_reply({"accounts": entries, "account_ordering": list(account.workspaces)})


def _workspace(account: Account, workspace: str) -> Json:
    is_first = workspace == account.workspaces[0]
    is_personal = is_first and account.plan not in TEAM_PLANS
    is_deactivated = workspace in account.deactivated
    shown = account.plan if is_first else "team"
    active = shown != "free" and not is_deactivated
    return {
        "account": {
            "account_id": workspace,
            "plan_type": shown,
            "structure": "personal" if is_personal else "workspace",
            "is_deactivated": is_deactivated,
            "account_user_role": "account-owner",
            "name": None if is_personal else "Simulated team",
        },
        "entitlement": {
            "subscription_id": "sub-simulator" if active else None,
            "has_active_subscription": active,
            "subscription_plan": f"chatgpt{shown}plan",
            "expires_at": None,
        },
        "features": [],
        "rate_limits": [],
    }


def conversation_init(exchange: Exchange) -> Reply:
    """POST {B}/conversation/init"""
    exchange.identify()
    tomorrow = _iso(exchange.simulator.clock() + 86_400)
    remaining = {"deep_research": 5, "file_upload": 80, "image_gen": 40}
    limits = [
        {"feature_name": name, "remaining": left, "reset_after": tomorrow}
        for name, left in remaining.items()
    ]
    return json_reply(
        {
            "type": "conversation_detail_metadata",
            "banner_info": None,
            "blocked_features": [],
            "model_limits": _model_limits(exchange),
            "limits_progress": limits,
            "default_model_slug": "auto",
        }
    )


def _model_limits(exchange: Exchange) -> list[Json]:
    """The models whose quota is used up; a quota for all models together shuts every one."""
    account = exchange.account
    if account is None or account.quota is None:
        return []
    windows = exchange.simulator.quotas.windows(account.name, account.quota)
    generation = exchange.simulator.config.generation
    offered = models.visible(generation, paid=exchange.is_paid, anonymous=exchange.anonymous)
    ends = {
        slug: window.resets_at
        for meter, window in windows.items()
        if window.is_full and window.resets_at is not None
        for slug in ([one.slug for one in offered] if meter == ALL_MODELS else [meter])
    }
    return [
        {"model_slug": slug, "using_default_model_slug": "auto", "resets_after": _iso(end)}
        for slug, end in ends.items()
    ]


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def usage(exchange: Exchange) -> Reply:
    """GET /backend-api/wham/usage"""
    exchange.identify()
    account = exchange.account
    assert account is not None
    simulator, now = exchange.simulator, exchange.simulator.clock()
    stands = limits.standing(simulator.quotas, account, simulator.config.codex_week_turns, now)
    return json_reply(
        {
            "account_id": exchange.workspace,
            "user_id": account.user_id,
            "email": account.email,
            "plan_type": account.plan,
            "rate_limit": _rate_limit(stands.primary, now, stands.secondary),
            "additional_rate_limits": [
                {"limit_name": model, "metered_feature": model, "rate_limit": _rate_limit(one, now)}
                for model, one in stands.models
            ],
            "credits": {"has_credits": False, "unlimited": False, "balance": "0"},
            "rate_limit_reached_type": {"type": "rate_limit_reached"} if stands.is_full else None,
            "rate_limit_reset_credits": {"available_count": 0},
        }
    )


def _rate_limit(window: Window, now: float, second: Window | None = None) -> Json:
    is_full = window.is_full or (second is not None and second.is_full)
    return {
        "allowed": not is_full,
        "limit_reached": is_full,
        "primary_window": _window(window, now),
        "secondary_window": _window(second, now) if second else None,
    }


def _window(window: Window, now: float) -> Json:
    resets_at = window.resets_at or now + window.quota.seconds
    return {
        "used_percent": window.used_percent,
        "limit_window_seconds": int(window.quota.seconds),
        "reset_after_seconds": math.ceil(resets_at - now),
        "reset_at": int(resets_at),
    }
