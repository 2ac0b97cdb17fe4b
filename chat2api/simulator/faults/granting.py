"""Faults of the token endpoint: refused, useless and lost answers. Queue them for `oauth_token`.

Of the other faults those that answer instead of the route, or break the line, strike before the refresh
token is looked at: it is still good. Those here named `rotate_then_…` strike when it is spent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chat2api.simulator.faults.lines import hang
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.faults.refusing import any_status
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import Reply, grant_refused, json_reply
from chat2api.simulator.tokens import make_refresh_token
from chat2api.simulator.wire.items import Break


def _refused(code: str) -> Callable[[Params], Reply]:
    def refused(params: Params) -> Reply:
        status = params.integer("status", 0) or None
        return grant_refused(params.text("code", code), params.text("form", "auto"), status)

    return refused


def _useless(params: Params) -> Reply:
    """200 without a token that could be used."""
    answer: dict[str, Any] = {
        "access_token": "not-a-token",
        "refresh_token": make_refresh_token("rt"),
        "token_type": "Bearer",
        "expires_in": 864_000,
    }
    match params.text("form", "opaque"):
        case "opaque":
            pass
        case "missing":
            del answer["access_token"]
        case "empty":
            answer["access_token"] = ""
        case "null":
            answer["access_token"] = None
        case "number":
            answer["access_token"] = 17
        case "list":
            return json_reply([answer])
        case other:
            known = "opaque, missing, empty, null, number, list"
            raise BadParameter(f"form={other!r} is none of {known}")
    return json_reply(answer)


def _no_refresh(params: Params) -> dict[str, Any]:
    form = params.text("form", "missing")
    if form not in ("missing", "null", "empty"):
        raise BadParameter(f"form={form!r} is none of missing, null, empty")
    return {"rotation": "keep", "unrotated": form}


def _late(params: Params) -> dict[str, Any]:
    return {"late": True}


def _lost_slowly(reply: Reply, params: Params) -> Reply:
    return hang(_lost("cut")(reply, params), params)


def _lost(kind: str) -> Callable[[Reply, Params], Reply]:
    how = Break("reset" if kind == "reset" else "cut")

    def head(reply: Reply, params: Params) -> Reply:
        return replace(reply, body=iter((how,)), headers_first=False)

    return head


def _lost_to_a_status(reply: Reply, params: Params) -> Reply:
    return any_status(params.merged({"status": params.integer("status", 502)}))


_REFUSED = "code=… form=auto|object|string|code status=…"

FAULTS = (
    Fault("grant", "the refresh token is refused", _REFUSED, reply=_refused("invalid_grant")),
    Fault("invalid_grant", "400, the same", _REFUSED, reply=_refused("invalid_grant")),
    Fault(
        "reused",
        "401, the refresh token was used before",
        _REFUSED,
        reply=_refused("refresh_token_reused"),
    ),
    Fault(
        "refresh_expired",
        "401, the refresh token is too old",
        _REFUSED,
        reply=_refused("refresh_token_expired"),
    ),
    Fault(
        "refresh_revoked",
        "401, the refresh token was revoked",
        _REFUSED,
        reply=_refused("refresh_token_invalidated"),
    ),
    Fault(
        "not_jwt",
        "200 without a usable access token; the refresh token stays good",
        "form=opaque|missing|empty|null|number|list",
        reply=_useless,
    ),
    Fault(
        "no_refresh",
        "an answer without a new refresh token; the old one stays good",
        "form=missing|null|empty",
        terms=_no_refresh,
    ),
    Fault(
        "rotate_then_hang",
        "the token is spent; silence, then the end",
        "seconds=30",
        terms=_late,
        head=_lost_slowly,
    ),
    Fault("rotate_then_reset", "the token is spent; TCP reset", terms=_late, head=_lost("reset")),
    Fault("rotate_then_cut", "the token is spent; the line ends", terms=_late, head=_lost("cut")),
    Fault(
        "rotate_then_status",
        "the token is spent; any status",
        "status=502 form=detail|… code=… text=…",
        terms=_late,
        head=_lost_to_a_status,
    ),
)
