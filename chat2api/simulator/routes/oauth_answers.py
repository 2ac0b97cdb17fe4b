"""What the routes of the login server have in common: fields that are sent, tokens that are answered."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from chat2api.simulator.accounts import Account
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.tokens import make_id_token

SCOPE = "openid profile email offline_access"


def fields_of(exchange: Exchange) -> dict[str, str]:
    """The texts of a JSON or form body; none when it cannot be read."""
    if "x-www-form-urlencoded" in exchange.headers.get("content-type", ""):
        return dict(parse_qsl(exchange.raw_body.decode("latin-1")))
    try:
        body = json.loads(exchange.raw_body)
    except ValueError:
        return {}
    pairs = body.items() if isinstance(body, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def tokens_of(exchange: Exchange, account: Account, scope: str = SCOPE) -> dict[str, Any]:
    """All of the token endpoint's answer but the refresh token."""
    now = exchange.simulator.clock()
    return {
        "access_token": account.token,
        "id_token": make_id_token(account.person, now=now),
        "token_type": "Bearer",
        "expires_in": int(account.expires_at - now),
        "scope": scope,
    }
