"""The token endpoint: a refresh token for an access token and, mostly, the next refresh token; or an
authorization code for the first of both (`signing_in`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chat2api.simulator.connection import CallerGone
from chat2api.simulator.exchange import Exchange
from chat2api.simulator.faults import registry as faults
from chat2api.simulator.faults.model import Fault
from chat2api.simulator.grants import Outcome, Traded
from chat2api.simulator.params import Params
from chat2api.simulator.refusals import Reply, grant_refused, json_reply
from chat2api.simulator.routes import signing_in
from chat2api.simulator.routes.oauth_answers import SCOPE, fields_of, tokens_of
from chat2api.simulator.tokens import fingerprint
from chat2api.simulator.wire.items import Break

_GONE = Reply(499, (Break("cut"),))
_HARMLESS = ("grant_type", "client_id", "scope", "redirect_uri")
_CODES: Mapping[Outcome, str] = {
    "reused": "refresh_token_reused",
    "expired": "refresh_token_expired",
    "revoked": "refresh_token_invalidated",
    "unknown": "invalid_grant",
    "wrong_client": "invalid_grant",
}


def token(exchange: Exchange) -> Reply:
    """POST /oauth/token"""
    fields = fields_of(exchange)
    _introduce(exchange, fields)
    choice = exchange.choose()
    chosen, params = faults.find(choice.faults), choice.params
    terms = faults.terms(chosen, params)
    is_late = bool(terms.get("late"))
    reply = faults.replacement(chosen, params)
    if not is_late and not _waited(exchange, chosen, params):
        reply = _GONE
    elif not is_late and reply is None and any(fault.breaks for fault in chosen):
        reply = json_reply({})
    if reply is None:
        is_code = fields.get("grant_type") == "authorization_code"
        reply = signing_in.redeem(exchange, fields) if is_code else _trade(exchange, fields, terms)
    elif fields.get("grant_type") != "authorization_code":
        _note(exchange, fields, Traded("fault"))
    done = faults.finish(reply, chosen, params, is_stream=False)
    return done if is_late else replace(done, pause=0)


def _waited(exchange: Exchange, chosen: Sequence[Fault], params: Params) -> bool:
    """A silence comes before the exchange; False when the caller does not wait that long."""
    try:
        exchange.line.wait(faults.finish(Reply(200, b""), chosen, params, is_stream=False).pause)
    except CallerGone:
        exchange.record.aborted = True
        return False
    return True


def _introduce(exchange: Exchange, fields: dict[str, str]) -> None:
    """Says whose token it is, and keeps the token itself out of the record."""
    presented = fields.get("refresh_token", "")
    name = exchange.simulator.grants.owner(presented)
    exchange.account_name = name or (f"unknown:{fingerprint(presented)}" if presented else None)
    exchange.record.account = exchange.account_name
    if not exchange.simulator.config.cheap:
        shown = {name: fields[name] for name in _HARMLESS if name in fields}
        if presented:
            shown["refresh_token"] = f"<{exchange.account_name}>"
        exchange.record.body = shown


def _trade(exchange: Exchange, fields: dict[str, str], terms: dict[str, Any]) -> Reply:
    form = exchange.simulator.config.oauth_errors
    problem = _problem(fields)
    if problem is not None:
        _note(exchange, fields, Traded("malformed"))
        return grant_refused(problem, form)
    traded = exchange.simulator.grants.exchange(
        fields["refresh_token"], fields["client_id"], terms.get("rotation")
    )
    _note(exchange, fields, traded)
    code = _CODES.get(traded.outcome)
    if code is not None:
        exchange.record.refused = f"refresh_{traded.outcome}"
        return grant_refused(code, form)
    return _granted(exchange, fields, traded, terms)


def _problem(fields: dict[str, str]) -> str | None:
    if fields.get("grant_type") != "refresh_token":
        return "unsupported_grant_type" if fields.get("grant_type") else "invalid_request"
    if not fields.get("refresh_token") or not fields.get("client_id"):
        return "invalid_request"
    return None


def _granted(
    exchange: Exchange, fields: dict[str, str], traded: Traded, terms: dict[str, Any]
) -> Reply:
    assert traded.grant is not None
    account = exchange.simulator.renew(traded.grant.account)
    assert account is not None
    answer = tokens_of(exchange, account, fields.get("scope", SCOPE))
    if traded.token is not None:
        answer["refresh_token"] = traded.token
    elif terms.get("unrotated", "missing") != "missing":
        answer["refresh_token"] = None if terms["unrotated"] == "null" else ""
    return json_reply(answer)


def _note(exchange: Exchange, fields: dict[str, str], traded: Traded) -> None:
    """Writes the exchange into the ledger, and its delivery once that is known."""
    simulator, record = exchange.simulator, exchange.record
    entry = simulator.grants.note(
        traded.outcome,
        token=fields.get("refresh_token", ""),
        client_id=fields.get("client_id", ""),
        successor=traded.token,
    )
    simulator.journal.count(f"refresh_{traded.outcome}")
    if traded.outcome == "reused":
        simulator.journal.count(f"refresh_reused.{entry.account}")

    def delivered() -> None:
        entry.delivered = record.completed

    exchange.on_close.append(delivered)
