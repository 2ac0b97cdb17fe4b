"""Logging in: device codes, the two pages on which a person says who they are, and the first tokens
(sheet 2.4, 2.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode

from chat2api.simulator.accounts import Account, make_account
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.refusals import HTML_TYPE, Reply, errored, grant_refused, json_reply
from chat2api.simulator.routes.oauth_answers import SCOPE, fields_of, tokens_of
from chat2api.simulator.signing_in import (
    DEVICE_REDIRECT,
    AuthorizationCode,
    DeviceLogin,
    challenge_of,
    new_verifier,
)
from chat2api.simulator.tokens import TERMINAL_CLIENT

_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
# The only addresses that the public program has registered.
_REGISTERED = ("http://localhost:1455/auth/callback", "http://localhost:1457/auth/callback")
_SENT_ON = ("client_id", "redirect_uri", "code_challenge", "state")


# --- device codes


def usercode(exchange: Exchange) -> Reply:
    """POST /api/accounts/deviceauth/usercode"""
    config = exchange.simulator.config
    if config.device_login == "not_offered":
        return errored(404, "not_found", "Device code login is not enabled.")
    client_id = fields_of(exchange).get("client_id")
    if not client_id:
        return grant_refused("invalid_request")
    login = exchange.simulator.signing_in.begin(client_id)
    interval: float | str = config.device_interval
    if config.device_interval_form == "text":
        interval = f"{config.device_interval:g}"
    answer = {
        "device_auth_id": login.device_auth_id,
        config.device_code_field: login.user_code,
        "interval": interval,
    }
    return json_reply(answer | _life(exchange, login))


def _life(exchange: Exchange, login: DeviceLogin) -> dict[str, Any]:
    match exchange.simulator.config.device_expiry:
        case "expires_in":
            return {"expires_in": int(login.expires_at - exchange.simulator.clock())}
        case "expires_at":
            return {"expires_at": datetime.fromtimestamp(login.expires_at, UTC).isoformat()}
    return {}


def device_token(exchange: Exchange) -> Reply:
    """POST /api/accounts/deviceauth/token"""
    fields = fields_of(exchange)
    signing_in, config = exchange.simulator.signing_in, exchange.simulator.config
    login = signing_in.find(fields.get("user_code", ""))
    if login is None or login.device_auth_id != fields.get("device_auth_id"):
        return grant_refused("invalid_grant")
    in_time = signing_in.polled(login)
    if login.decision == "denied":
        return grant_refused("access_denied")
    if signing_in.is_over(login):
        return grant_refused("expired_token")
    if not in_time and config.device_slow_down:
        return grant_refused("slow_down")
    if login.account is None:
        if config.device_pending == "authorization_pending":
            return grant_refused("authorization_pending")
        code = "deviceauth_authorization_unknown"
        return errored(int(config.device_pending), code, "Device authorization is unknown.")
    verifier = new_verifier()
    challenge = challenge_of(verifier)
    redirect = f"http://{exchange.headers.get('host', '')}{DEVICE_REDIRECT}"
    code = signing_in.grant(login.account, login.client_id, redirect, challenge)
    return json_reply(
        {"authorization_code": code, "code_challenge": challenge, "code_verifier": verifier}
    )


def device_page(exchange: Exchange) -> Reply:
    """GET /codex/device"""
    form = '<p><label>Code <input name="user_code" autocomplete="off" required></label></p>'
    return _page("Log in on another device", form + _who(exchange) + _BUTTONS)


def device_answer(exchange: Exchange) -> Reply:
    """POST /codex/device: a person has entered a code."""
    fields = fields_of(exchange)
    account = _person(exchange, fields)
    if account is None and _is_allowed(fields):
        return _page("Who are you?", "<p>That is no name of an account.</p>", 400)
    name = account.name if account is not None else None
    if exchange.simulator.signing_in.decide(fields.get("user_code", ""), name) is None:
        return _page("No such code", "<p>The code is wrong, over, or was used.</p>", 400)
    if name is None:
        return _page("Not allowed", "<p>Nobody is logged in.</p>")
    return _page("Logged in", f"<p>As {escape(name)}. You may close this page.</p>")


# --- the browser's way


def authorize(exchange: Exchange) -> Reply:
    """GET /oauth/authorize"""
    asked = dict(parse_qsl(exchange.record.query))
    problem = _problem(asked)
    if problem:
        return _page("This login cannot go on", f"<p>{escape(problem)}</p>", 400)
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(asked.get(name, ""))}">'
        for name in _SENT_ON
    )
    return _page("Log in", hidden + _who(exchange) + _BUTTONS)


def decide(exchange: Exchange) -> Reply:
    """POST /oauth/authorize: a person has said who they are; their browser is sent to the program."""
    fields = fields_of(exchange)
    problem = _problem({"response_type": "code", "code_challenge_method": "S256", **fields})
    account = _person(exchange, fields)
    if problem or (account is None and _is_allowed(fields)):
        return _page("This login cannot go on", f"<p>{escape(problem or 'Who are you?')}</p>", 400)
    back = {"state": fields.get("state", "")}
    if account is None:
        back |= {"error": "access_denied", "error_description": "The person did not allow it."}
    else:
        asked = (fields[name] for name in ("client_id", "redirect_uri", "code_challenge"))
        back["code"] = exchange.simulator.signing_in.grant(account.name, *asked)
    return Reply(302, b"", (("Location", f"{fields['redirect_uri']}?{urlencode(back)}"),))


def _problem(asked: Mapping[str, str]) -> str:
    if asked.get("response_type") != "code" or not asked.get("client_id"):
        return "response_type must be code, and a client_id is needed"
    if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
        return "a code_challenge by S256 is needed"
    redirect = asked.get("redirect_uri", "")
    is_ours = asked["client_id"] == TERMINAL_CLIENT
    if not redirect.startswith("http") or (is_ours and redirect not in _REGISTERED):
        return "redirect_uri is not registered"
    return ""


# --- the last exchange


def redeem(exchange: Exchange, fields: Mapping[str, str]) -> Reply:
    """POST /oauth/token with an authorization code."""
    names = ("code", "client_id", "redirect_uri", "code_verifier")
    if not all(fields.get(name) for name in names):
        return grant_refused("invalid_request")
    found = exchange.simulator.signing_in.redeem(*(fields[name] for name in names))
    if not isinstance(found, AuthorizationCode):
        exchange.record.refused = f"code_{found}"
        exchange.simulator.journal.count(f"code_{found}")
        return grant_refused("invalid_grant")
    account, refresh_token = exchange.simulator.sign_in(found.account, found.client_id)
    exchange.record.account = account.name
    exchange.simulator.journal.count("code_redeemed")
    return json_reply({**tokens_of(exchange, account, SCOPE), "refresh_token": refresh_token})


# --- pages for a person

_BUTTONS = (
    '<p><button name="do" value="allow">Allow</button> '
    '<button name="do" value="deny">Do not allow</button></p>'
)


def _who(exchange: Exchange) -> str:
    names = [account.name for account in exchange.simulator.accounts.all()][:200]
    options = "".join(f"<option>{escape(name)}</option>" for name in names)
    return (
        f'<p><label>Log in as <select name="account">{options}</select></label></p>'
        '<p><label>or as somebody new <input name="new_account" autocomplete="off"></label></p>'
    )


def _is_allowed(fields: Mapping[str, str]) -> bool:
    return fields.get("do", "allow") == "allow"


def _person(exchange: Exchange, fields: Mapping[str, str]) -> Account | None:
    """Who says so, made on the spot if new; None for nobody we know, or one who does not allow it."""
    if not _is_allowed(fields):
        return None
    accounts, new = exchange.simulator.accounts, fields.get("new_account", "").strip()
    if not new:
        return accounts.named(fields.get("account", ""))
    if not _NAME.fullmatch(new):
        return None
    if accounts.named(new) is None:
        made = make_account(new, now=exchange.simulator.clock(), client_id=TERMINAL_CLIENT)
        exchange.simulator.enroll(made, None)
    return accounts.named(new)


def _page(title: str, inner: str, status: int = 200) -> Reply:
    form = f'<form method="post">{inner}</form>'
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} (simulator)</title></head>\n<body><h1>{title}</h1>"
        f"<p>This is the simulator: nobody real logs in here.</p>{form}</body></html>\n"
    )
    return Reply(status, text.encode(), (HTML_TYPE,))
