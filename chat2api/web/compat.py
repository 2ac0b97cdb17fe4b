"""Small routes that desktop clients of other servers ask for: account counts, usage, billing."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flask import Blueprint, Response

from chat2api.errors import Unauthorized
from chat2api.service.access import PoolKey
from chat2api.web.auth import principal
from chat2api.web.json import json_response
from chat2api.web.state import runtime

blueprint = Blueprint("compat", __name__)

# Nobody bills anything here; clients want numbers that do not stop them.
_LIMIT = 100
_CENTURY_SECONDS = 100 * 365 * 86_400
_PLAN = "chat2api"


@blueprint.get("/v1/accTokens")
def account_counts() -> Response:
    """Two spellings of the second field, since two generations of clients read it."""
    _with_key()
    counts = runtime().book.counts()
    return json_response(
        {"count": counts.total, "can_use_count": counts.usable, "canUseCount": counts.usable}
    )


@blueprint.get("/v1/usage")
@blueprint.get("/v1/dashboard/billing/usage")
def usage() -> Response:
    _with_key()
    return json_response(
        {"object": "list", "total_usage": 0, "current_usage_usd": 0, "daily_costs": []}
    )


@blueprint.get("/v1/dashboard/billing/subscription")
def subscription() -> Response:
    _with_key()
    now = time.time()
    begin, end = month_around(now)
    return json_response(
        {
            "object": "billing_subscription",
            "billing_period": "monthly",
            "current_period_start": begin,
            "current_period_end": end,
            "plan": _PLAN,
            "account_name": _PLAN,
            "soft_limit_usd": _LIMIT,
            "hard_limit_usd": _LIMIT,
            "system_hard_limit_usd": _LIMIT,
            "soft_limit": _LIMIT,
            "hard_limit": _LIMIT,
            "system_hard_limit": _LIMIT,
            "has_payment_method": True,
            "access_until": int(now) + _CENTURY_SECONDS,
            "has_active_subscription": True,
        }
    )


@blueprint.get("/api/usage/token")
@blueprint.get("/api/usage/token/")
def token_usage() -> Response:
    _with_key()
    until = int(time.time()) + _CENTURY_SECONDS
    whole = dict.fromkeys(("total", "limit", "quota", "total_quota", "total_tokens"), _LIMIT)
    rest = dict.fromkeys(("remaining", "remain_quota", "remaining_tokens"), _LIMIT)
    used = dict.fromkeys(("used", "usage", "used_quota", "used_tokens"), 0)
    more = {"unlimited_quota": False, "expires_at": until, "access_until": until}
    return json_response({**used, **whole, **rest, **more})


def _with_key() -> None:
    """Not for keyless callers, nor for who brings an account of their own: what is counted is ours.

    Raises Unauthorized, KeyScope, StorageUnavailable.
    """
    if not isinstance(principal("usage"), PoolKey):
        raise Unauthorized("Send an API key of this server as `Authorization: Bearer KEY`.")


def month_around(now: float) -> tuple[int, int]:
    """The first second of the month in UTC and that of the next, in epoch seconds."""
    first = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    year, month = divmod(first.year * 12 + first.month, 12)
    following = first.replace(year=year, month=month + 1)
    return int(first.timestamp()), int(following.timestamp())
