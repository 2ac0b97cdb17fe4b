"""Faults that answer instead of the route: every refusal status with its body shapes (sheet 10.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate

from chat2api.simulator.faults.model import Fault
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.refusals import (
    CAP,
    HTML_TYPE,
    UNUSUAL,
    Reply,
    coded,
    conversation_not_found,
    detail,
    errored,
    invalidated,
    json_reply,
    model_not_found,
    workspace_deactivated,
)

_CHALLENGE = """<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head>
<body><noscript>Enable JavaScript and cookies to continue</noscript>
<script>(function(){window._cf_chl_opt = {cvId: '3', cType: 'managed'};}());</script>
<div id="cf-please-wait">Checking your browser</div></body></html>"""
_BAD_GATEWAY = """<html><head><title>{status}</title></head>
<body><center><h1>{status}</h1></center><hr><center>cloudflare</center></body></html>"""
_TOO_MANY = "Too many requests"
_BUSY = (
    "Only one message at a time. Please allow any other responses to complete before sending "
    "another message, or wait one minute."
)
_TEN_YEARS = 315_360_000


def _html(status: int, page: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status, page.encode(), (HTML_TYPE, *headers))


def _expired(params: Params) -> Reply:
    match params.text("form", "detail"):
        case "detail":
            text = "Provided authentication token is expired. Please try signing in again."
            return coded(401, "token_expired", text)
        case "text":
            return detail(
                401, "Could not parse your authentication token. Please try signing in again."
            )
        case "error":
            return errored(401, "invalid_jwt", "Your authentication token is not valid.")
        case other:
            raise BadParameter(f"form={other!r} is none of detail, text, error")


def _invalidated(params: Params) -> Reply:
    match params.text("form", "error"):
        case "error":
            return invalidated()
        case "revoked":
            return coded(401, "token_revoked", "Your session was signed out.")
        case "deactivated":
            return coded(401, "account_deactivated", "This account has been deactivated.")
        case "deleted":
            return json_reply({"error": "user_deleted", "error_description": "No such user"}, 401)
        case other:
            raise BadParameter(f"form={other!r} is none of error, revoked, deactivated, deleted")


def _payment(params: Params) -> Reply:
    return workspace_deactivated()


def _unusual(params: Params) -> Reply:
    return detail(403, UNUSUAL)


def _challenge(params: Params) -> Reply:
    return _html(403, _CHALLENGE, ("cf-mitigated", "challenge"), ("Server", "cloudflare"))


def _forbidden(params: Params) -> Reply:
    return Reply(403, b"")


def _country(params: Params) -> Reply:
    return errored(403, "unsupported_country", "Country, region, or territory not supported")


def _model(params: Params) -> Reply:
    return model_not_found(params.text("slug", "this-model"))


def _gone(params: Params) -> Reply:
    return conversation_not_found()


def _busy(params: Params) -> Reply:
    status = params.integer("status", 409)
    return detail(status, "Another turn is running in this conversation.")


def _too_long(params: Params) -> Reply:
    code = params.text("code", "message_length_exceeds_limit")
    return coded(413, code, "The message you submitted was too long.")


def _schema(params: Params) -> Reply:
    return detail(422, [{"type": "missing", "loc": ["body", "action"], "msg": "Field required"}])


def _unsupported(params: Params) -> Reply:
    return detail(400, "Unsupported parameter: websocket_request_id")


def _policy(params: Params) -> Reply:
    text = "This request may violate our content policy."
    return errored(params.integer("status", 400), "content_policy_violation", text)


def _rate(params: Params) -> Reply:
    """429 in all its forms; `seconds` is when it clears."""
    seconds = params.integer("seconds", 30)
    at = time.time() + seconds
    plain = detail(429, _TOO_MANY)
    forms: dict[str, Callable[[], Reply]] = {
        "clears": lambda: detail(429, {"message": CAP, "clears_in": seconds}),
        "cap": lambda: coded(429, "model_cap_exceeded", CAP, clears_in=seconds),
        "string": lambda: detail(429, {"message": CAP, "clears_in": str(seconds)}),
        "words": lambda: detail(
            429, f"Limit reached. Try again in {max(seconds // 60, 1)} minutes."
        ),
        "span": lambda: detail(429, {"message": CAP, "reset_after": _span(seconds)}),
        "resets": lambda: errored(429, "usage_limit_reached", CAP, resets_at=int(at)),
        "header": lambda: plain.with_headers(("Retry-After", str(seconds))),
        "date": lambda: plain.with_headers(("Retry-After", formatdate(at, usegmt=True))),
        "negative": lambda: plain.with_headers(("Retry-After", "-5")),
        "years": lambda: plain.with_headers(("Retry-After", str(_TEN_YEARS))),
        "detail": lambda: plain,
        "busy": lambda: detail(429, _BUSY),
        "html": lambda: _html(429, _BAD_GATEWAY.format(status=429)),
        "empty": lambda: Reply(429, b""),
    }
    form = params.text("form", "clears")
    if form not in forms:
        raise BadParameter(f"form={form!r} is none of {', '.join(forms)}")
    return forms[form]()


def _span(seconds: int) -> str:
    return f"{seconds // 3600}h{seconds % 3600 // 60}m{seconds % 60}s"


def any_status(params: Params) -> Reply:
    """Any status with a body of the wanted shape."""
    status = params.integer("status", 500)
    code, text = params.text("code", "server_error"), params.text("text", "Something went wrong.")
    forms: dict[str, Callable[[], Reply]] = {
        "detail": lambda: detail(status, text),
        "coded": lambda: coded(status, code, text),
        "list": lambda: detail(status, [{"loc": ["body"], "msg": text, "type": code}]),
        "error": lambda: errored(status, code, text),
        "plain": lambda: json_reply({"error": text}, status),
        "oauth": lambda: json_reply({"error": code, "error_description": text}, status),
        "message": lambda: json_reply({"message": text}, status),
        "html": lambda: _html(status, _BAD_GATEWAY.format(status=status)),
        "empty": lambda: Reply(status, b""),
        "null": lambda: json_reply(None, status),
        "broken": lambda: Reply(
            status, b'{"detail": "cut of', (("Content-Type", "application/json"),)
        ),
    }
    form = params.text("form", "detail")
    if form not in forms:
        raise BadParameter(f"form={form!r} is none of {', '.join(forms)}")
    if not 200 <= status <= 599:
        raise BadParameter(f"status={status} is not an HTTP status")
    return forms[form]()


def _redirect(params: Params) -> Reply:
    target = params.text("to", "http://elsewhere.invalid/backend-api/conversation")
    return Reply(params.integer("status", 302), b"", (("Location", target),))


def _page(params: Params) -> Reply:
    return _html(200, "<!DOCTYPE html><html><body><h1>Be right back</h1></body></html>")


def _json_error(params: Params) -> Reply:
    code = params.text("code", "rate_limit_exceeded")
    return json_reply({"detail": {"code": code, "message": params.text("text", "Not now.")}})


def _wss(params: Params) -> Reply:
    return json_reply(
        {
            "wss_url": "wss://socket.simulator.invalid/client/hubs/conversations?access_token=none",
            "expires_at": "2026-06-30T00:00:00+00:00",
            "conversation_id": "00000000-0000-4000-8000-000000000055",
            "response_id": "simulator",
            "websocket_request_id": "00000000-0000-4000-8000-000000000056",
        }
    )


FAULTS = (
    Fault("expired", "401, token expired", "form=detail|text|error", reply=_expired),
    Fault(
        "invalidated",
        "401, token dead",
        "form=error|revoked|deactivated|deleted",
        reply=_invalidated,
    ),
    Fault("payment", "402, workspace deactivated", reply=_payment),
    Fault("unusual", "403, unusual activity", reply=_unusual),
    Fault("challenge", "403, a browser challenge page", reply=_challenge),
    Fault("forbidden", "403, empty", reply=_forbidden),
    Fault("country", "403, country not supported", reply=_country),
    Fault("model", "404, no such model", "slug=…", reply=_model),
    Fault("gone", "404, no such conversation", reply=_gone),
    Fault("busy", "409 or 423, another turn runs", "status=409|423", reply=_busy),
    Fault("too_long", "413, message too long", "code=…", reply=_too_long),
    Fault("schema", "422, body refused", reply=_schema),
    Fault("unsupported", "400, unsupported parameter", reply=_unsupported),
    Fault("policy", "400 or 403, content policy", "status=400|403", reply=_policy),
    Fault(
        "rate",
        "429, limited",
        "seconds=30 form=clears|cap|string|words|span|resets|header|date|negative|years|detail|"
        "busy|html|empty",
        reply=_rate,
    ),
    Fault(
        "status",
        "any status",
        "status=500 form=detail|coded|list|error|plain|oauth|message|html|empty|null|broken "
        "code=… text=…",
        reply=any_status,
    ),
    Fault("redirect", "to another host", "to=URL status=302", reply=_redirect),
    Fault("page", "200 with HTML", reply=_page),
    Fault("json_error", "200 with a JSON error", "code=… text=…", reply=_json_error),
    Fault("wss", "200 with a WebSocket address", reply=_wss),
)
