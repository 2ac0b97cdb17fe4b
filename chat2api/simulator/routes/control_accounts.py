"""The control routes for accounts: adding them, ending their tokens, and the ledger of exchanges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, jsonify, request

from chat2api.simulator.accounts import Account, make_account
from chat2api.simulator.documents import Json
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.quotas import Quota
from chat2api.simulator.routes.steering import sent, the_simulator
from chat2api.simulator.tokens import OWN_CLIENT, Kind, client_of

blueprint = Blueprint("accounts", __name__)

_FIELDS = (
    *("name", "plan", "workspaces", "deactivated", "lifetime_seconds", "expired"),
    *("refresh", "client_id", "quota", "quota_seconds", "quota_models"),
)
_OVER = -60.0  # seconds of life of a token that is expired from the start
_KINDS: dict[str, Kind | None] = {"none": None, "legacy": "legacy", "rt": "rt"}


@blueprint.get("/accounts")
def accounts() -> Response:
    return jsonify({"accounts": [_shown(one) for one in the_simulator().accounts.all()]})


@blueprint.post("/accounts")
def add_accounts() -> Response:
    """One object or a list; all are added or none."""
    body = sent()
    wishes = [_wish(one) for one in (body if isinstance(body, list) else [body])]
    for wish in wishes:
        the_simulator().enroll(wish.account, wish.refresh)
    added = [_shown(wish.account) for wish in wishes]
    return jsonify(added if isinstance(body, list) else added[0])


@blueprint.post("/accounts/<name>/expire")
def expire(name: str) -> Response:
    """Ends the life of the tokens now: `what` is `access`, `refresh` or `both`."""
    simulator, what = the_simulator(), _what(name)
    if what != "refresh":
        simulator.accounts.expire(name, simulator.clock())
    if what != "access":
        simulator.grants.expire(name)
    return jsonify(_shown(_named(name)))


@blueprint.post("/accounts/<name>/revoke")
def revoke(name: str) -> Response:
    """Signs the account out: `what` is `access`, `refresh` or `both`."""
    simulator, what = the_simulator(), _what(name)
    if what != "refresh":
        simulator.accounts.revoke(name)
    if what != "access":
        simulator.grants.revoke(name)
    return jsonify(_shown(_named(name)))


@blueprint.post("/accounts/<name>/quota")
def set_quota(name: str) -> Response:
    """`used` turns of the quota are gone; 0 begins a new window."""
    account, body = _named(name), sent()
    if account.quota is None or not isinstance(body, dict):
        raise BadParameter('send {"used": N} for an account with a quota')
    used = Params(body).integer("used", 0)
    the_simulator().quotas.set_used(name, account.quota, max(used, 0))
    return jsonify(_shown(account))


@blueprint.get("/refreshes")
def refreshes() -> Response:
    since = Params(request.args).integer("since", 0)
    account = request.args.get("account")
    return jsonify({"refreshes": the_simulator().grants.ledger(account=account, since=since)})


# --- what is sent


@dataclass(frozen=True, slots=True)
class _Wish:
    account: Account
    refresh: Kind | None


def _wish(value: Any) -> _Wish:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        raise BadParameter("send an object with at least a name")
    unknown = sorted(set(value) - set(_FIELDS))
    if unknown:
        raise BadParameter(f"unknown field {unknown[0]!r}; known: {', '.join(_FIELDS)}")
    params = Params(value)
    kind = _kind(params.text("refresh", "none"))
    return _Wish(_account(value, params, kind), kind)


def _kind(word: str) -> Kind | None:
    if word not in _KINDS:
        raise BadParameter(f"refresh={word!r} is none of {', '.join(_KINDS)}")
    return _KINDS[word]


def _account(value: Json, params: Params, kind: Kind | None) -> Account:
    simulator = the_simulator()
    lifetime = params.number("lifetime_seconds", 0) or None
    first = _OVER if params.flag("expired") else lifetime or simulator.config.lifetime_seconds
    off = value.get("deactivated", False)
    return make_account(
        value["name"],
        plan=params.text("plan", "plus"),
        workspaces=_texts(value, "workspaces"),
        now=simulator.clock(),
        lifetime_seconds=lifetime,
        first_seconds=first,
        client_id=params.text("client_id", client_of(kind) if kind else OWN_CLIENT),
        quota=_quota(value, params),
        deactivated=off if isinstance(off, bool) else _texts(value, "deactivated"),
    )


def _quota(value: Json, params: Params) -> Quota | None:
    if value.get("quota") is None:
        return None
    turns, seconds = params.integer("quota", 0), params.number("quota_seconds", 10_800)
    if turns < 0 or seconds <= 0:
        raise BadParameter("quota must be 0 or more, and quota_seconds more than 0")
    return Quota(turns, seconds, _texts(value, "quota_models"))


def _texts(value: Json, name: str) -> tuple[str, ...]:
    given = value.get(name) or ()
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise BadParameter(f"{name} must be a list of texts")
    return tuple(given)


def _named(name: str) -> Account:
    account = the_simulator().accounts.named(name)
    if account is None:
        raise BadParameter(f"there is no account {name!r}")
    return account


def _what(name: str) -> Literal["access", "refresh", "both"]:
    _named(name)
    body = sent() or {}
    what = body.get("what", "both") if isinstance(body, dict) else None
    if what not in ("access", "refresh", "both"):
        raise BadParameter("what must be access, refresh or both")
    return what  # type: ignore[no-any-return]


# --- what is shown


def _shown(account: Account) -> Json:
    grant = the_simulator().grants.find(account.name)
    return {
        "name": account.name,
        "access_token": account.token,
        "refresh_token": grant.newest if grant else None,
        "client_id": account.client_id,
        "plan": account.plan,
        "workspaces": list(account.workspaces),
        "deactivated": list(account.deactivated),
        "expires_at": account.expires_at,
        "refresh_expires_at": _finite(grant.expires_at) if grant else None,
        "refresh_revoked": grant.revoked if grant else None,
        "refreshes": grant.refreshes if grant else 0,
        "reused": grant.reused if grant else 0,
        "quota": _windows(account),
    }


def _finite(moment: float) -> float | None:
    return None if math.isinf(moment) else moment


def _windows(account: Account) -> list[Json] | None:
    if account.quota is None:
        return None
    windows = the_simulator().quotas.windows(account.name, account.quota)
    return [
        {
            "model": meter or None,
            "turns": one.quota.turns,
            "used": one.used,
            "seconds": one.quota.seconds,
            "resets_at": one.resets_at,
        }
        for meter, one in windows.items()
    ]
