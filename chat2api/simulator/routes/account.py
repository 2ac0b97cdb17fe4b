"""Models, the person, the account and its limits (sheet 10.1 to 10.3)."""

from __future__ import annotations

from datetime import UTC, datetime

from chat2api.simulator import models
from chat2api.simulator.documents import Json
from chat2api.simulator.exchange import Exchange
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
    entries = {
        workspace: _workspace(workspace, account.plan, is_personal=index == 0)
        for index, workspace in enumerate(account.workspaces)
    }
    return json_reply({"accounts": entries, "account_ordering": list(account.workspaces)})


def _workspace(workspace: str, plan: str, *, is_personal: bool) -> Json:
    active = plan != "free" or not is_personal
    shown = plan if is_personal else "team"
    return {
        "account": {
            "account_id": workspace,
            "plan_type": shown,
            "structure": "personal" if is_personal else "workspace",
            "is_deactivated": False,
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
    tomorrow = datetime.fromtimestamp(exchange.simulator.clock() + 86_400, UTC).isoformat()
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
            "model_limits": [],
            "limits_progress": limits,
            "default_model_slug": "auto",
        }
    )
