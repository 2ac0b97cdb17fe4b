"""The embedded upstream: the ChatGPT web backend's wire in both generations, for tests and demos.

How a call runs, and where to look:

    routes/         one function per upstream route; `control` holds the routes under /_sim/
    exchange        a request from arrival to last byte: caller, choice, recorded answer
    sentinel proof  seeds and tokens handed out, and whether they come back right and unused
    accounts tokens who may call: accounts and access tokens, and how tokens look
    grants quotas   refresh tokens with a ledger of their exchanges; turns left
    signing_in      device codes and authorization codes: logins that begin with a person
    validation      the body schema of conversation calls
    performance     plays a scenario: turn -> script -> frames, and keeps the conversation
    streaming       frames on their way out: tempo, faults, stopping, resuming
    canned          streams that are bytes already: recordings and baked ones
    mind/           a model that follows instructions about tools and JSON, pure
    compat/         the API like OpenAI's at /compat/v1, without its routes
    codex/          the backend that speaks Responses at /backend-api/codex, without its routes
    scenarios/      scripts of steps, free of any encoding, each with what a reader should get
    envelope        what surrounds every answer: hidden messages, echoes, markers
    wire/           steps into snapshots or v1 deltas, frames into server-sent-event bytes
    faults/         everything that may go wrong, by name, applied at one of five stages
    behaviours      which scenario and faults a call gets: `/sim …`, queue, defaults
    journal         what was seen, also whether the caller hung up
    serve           gunicorn around `create_app`

Nothing is shared with the code that is tested against it: no import reaches another room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flask import Flask, Response, request

from chat2api.simulator.accounts import Account
from chat2api.simulator.config import Config
from chat2api.simulator.exchange import Handler, handle, with_faults
from chat2api.simulator.refusals import not_found
from chat2api.simulator.routes import (
    account,
    codex,
    compat,
    control,
    conversation,
    home,
    oauth,
    sentinel,
    signing_in,
    stored,
)
from chat2api.simulator.simulator import Simulator

_BOTH = ("/backend-api", "/backend-anon")
_LOGIN = ("/backend-api",)
_KEPT = "/conversation/<conversation_id>"
_COMPAT = ("/compat/v1",)
_CODEX = ("/backend-api/codex",)

# method, path below the prefix, prefixes, endpoint name, handler. Handlers not wrapped play their
# faults themselves.
_ROUTES: tuple[tuple[str, str, tuple[str, ...], str, Handler], ...] = (
    ("GET", "/", ("",), "home", with_faults(home.home)),
    ("POST", "/sentinel/chat-requirements", _BOTH, "requirements", sentinel.requirements),
    ("POST", "/sentinel/chat-requirements/prepare", _BOTH, "prepare", sentinel.prepare),
    (
        "POST",
        "/sentinel/chat-requirements/finalize",
        _BOTH,
        "finalize",
        with_faults(sentinel.finalize),
    ),
    (
        "POST",
        "/f/conversation/prepare",
        _BOTH,
        "conversation_prepare",
        with_faults(conversation.conversation_prepare),
    ),
    ("POST", "/f/conversation", _BOTH, "conversation", conversation.f_conversation),
    ("POST", "/conversation", _BOTH, "conversation", conversation.classic),
    ("POST", "/f/conversation/resume", _LOGIN, "resume", stored.resume),
    ("POST", "/conversation/init", _BOTH, "init", with_faults(account.conversation_init)),
    ("GET", _KEPT, _LOGIN, "read", with_faults(stored.read)),
    ("PATCH", _KEPT, _LOGIN, "change", with_faults(stored.change)),
    ("GET", _KEPT + "/stream_status", _LOGIN, "stream_status", with_faults(stored.stream_status)),
    ("POST", _KEPT + "/async-status", _LOGIN, "async_status", with_faults(stored.clear_async)),
    ("POST", "/stop_conversation", _LOGIN, "stop", with_faults(stored.stop)),
    ("GET", "/models", _BOTH, "models", with_faults(account.list_models)),
    ("GET", "/me", _LOGIN, "me", with_faults(account.me)),
    (
        "GET",
        "/accounts/check/v4-2023-04-27",
        _LOGIN,
        "accounts_check",
        with_faults(account.accounts_check),
    ),
    ("GET", "/wham/usage", _LOGIN, "usage", with_faults(account.usage)),
    ("POST", "/oauth/token", ("",), "oauth_token", oauth.token),
    ("GET", "/oauth/authorize", ("",), "authorize", with_faults(signing_in.authorize)),
    ("POST", "/oauth/authorize", ("",), "authorize_answer", with_faults(signing_in.decide)),
    (
        "POST",
        "/api/accounts/deviceauth/usercode",
        ("",),
        "device_usercode",
        with_faults(signing_in.usercode),
    ),
    (
        "POST",
        "/api/accounts/deviceauth/token",
        ("",),
        "device_token",
        with_faults(signing_in.device_token),
    ),
    ("GET", "/codex/device", ("",), "device_page", with_faults(signing_in.device_page)),
    ("POST", "/codex/device", ("",), "device_answer", with_faults(signing_in.device_answer)),
    ("POST", "/responses", _CODEX, "codex_responses", codex.guarded(codex.responses)),
    ("GET", "/models", _CODEX, "codex_models", with_faults(codex.guarded(codex.models))),
    ("GET", "/usage", _CODEX, "usage", with_faults(codex.guarded(account.usage))),
    ("POST", "/chat/completions", _CODEX, "codex_chat", codex.nothing_here),
    ("GET", "/models", _COMPAT, "compat_models", compat.plain(compat.models)),
    ("GET", "/models/<name>", _COMPAT, "compat_models", compat.plain(compat.model)),
    ("POST", "/chat/completions", _COMPAT, "compat_chat", compat.guarded(compat.chat)),
    ("POST", "/images/generations", _COMPAT, "compat_image", compat.plain(compat.picture)),
    ("POST", "/images/edits", _COMPAT, "compat_image_edit", compat.plain(compat.edited_picture)),
    ("GET", "/pictures/<colour>.png", _COMPAT, "compat_picture", compat.kept_picture),
    ("POST", "/audio/speech", _COMPAT, "compat_speech", compat.plain(compat.speech)),
)
ENDPOINTS = tuple(dict.fromkeys(route[3] for route in _ROUTES))


def create_app(
    config: Config | None = None,
    accounts: Iterable[Account] | None = None,
    clock: Callable[[], float] = time.time,
) -> Flask:
    """A fresh simulator as a WSGI application; its state is `app.extensions["simulator"]`."""
    app = Flask(__name__, static_folder=None)
    simulator = Simulator(config or Config(), accounts, clock, ENDPOINTS)
    app.extensions["simulator"] = simulator
    app.register_blueprint(control.blueprint)
    for method, path, prefixes, endpoint, handler in _ROUTES:
        for prefix in prefixes:
            view = _view(simulator, endpoint, handler)
            rule = prefix + path
            app.add_url_rule(rule, f"{method} {rule}", view, methods=[method])
    app.register_error_handler(404, _missing)
    return app


def _view(simulator: Simulator, endpoint: str, handler: Handler) -> Callable[..., Response]:
    def view(**values: str) -> Response:
        return handle(simulator, endpoint, request, handler, values)

    return view


def _missing(error: Exception) -> tuple[bytes, int, dict[str, str]]:
    reply = not_found()
    assert isinstance(reply.body, bytes)
    return reply.body, reply.status, dict(reply.headers)
