"""Which blueprints there are and where; what every answer carries; the request line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from flask import Flask, Response, request
from flask_cors import CORS

from chat2api.errors import RequestError
from chat2api.logs import set_request_id
from chat2api.settings.model import Settings
from chat2api.web import (
    audio,
    chat,
    compat,
    config,
    health,
    images,
    messages,
    models,
    responses,
    responses_socket,
    sign_in,
    start,
    tokens,
    why,
)
from chat2api.web.client_address import Network, client_address, networks
from chat2api.web.desk import (
    account_acts,
    account_edit,
    accounts,
    add,
    audit,
    export,
    jobs,
    keys,
    live,
    logins,
    overview,
    requests,
    sessions,
    usage,
)
from chat2api.web.desk import (
    settings as settings_pages,
)
from chat2api.web.errors import register_errors
from chat2api.web.ids import new_request_id
from chat2api.web.page_errors import show_lost_as_pages
from chat2api.web.pages import set_up_pages
from chat2api.web.recording import Envelope, write_record
from chat2api.web.state import RequestState, runtime, set_state, state
from chat2api.web.unread_body import end_connection

log = logging.getLogger("chat2api.request")

_SMALL_BODY_BYTES = 65_536
_MOST_QUERY_PARAMETERS = 100
_PROBES = frozenset({"/healthz", "/readyz", "/ping"})  # asked every few seconds, for ever
_POLLED = frozenset({"desk", "jobs", "accounts", "logins"})
_EXPOSED = [
    "x-request-id",
    "request-id",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    *(
        f"x-ratelimit-{what}-{of}"
        for of in ("requests", "tokens")
        for what in ("limit", "remaining", "reset")
    ),
]
_ALLOWED = [
    "Authorization",
    "Content-Type",
    "Accept",
    "ChatGPT-Account-ID",
    "X-Request-ID",
    "X-Api-Key",
    "anthropic-version",
    "anthropic-beta",
]


def register_routes(app: Flask, settings: Settings) -> None:
    # A double slash is a mistake to hear about; a redirect would repeat whatever host the caller named.
    app.url_map.merge_slashes = False
    prefix = f"/{settings.api_prefix}" if settings.api_prefix else None
    for room in (
        chat,
        responses,
        responses_socket,
        images,
        audio,
        messages,
        models,
        compat,
        tokens,
        sign_in,
        config,
        overview,
        accounts,
        account_acts,
        account_edit,
        keys,
        sessions,
        add,
        export,
        requests,
        usage,
        why,
        audit,
        jobs,
        live,
        logins,
        settings_pages,
    ):
        app.register_blueprint(room.blueprint, url_prefix=prefix)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(start.blueprint)
    set_up_pages(app)
    register_errors(app)
    show_lost_as_pages(app)
    app.before_request(_begin)
    trusted = networks(settings.trusted_proxies)
    app.after_request(lambda response: _finish(response, trusted))
    CORS(
        app,
        resources={rf"{prefix or ''}/(?:v1|api)/.*": {"origins": list(settings.cors_origins)}},
        send_wildcard=True,
        supports_credentials=False,
        allow_headers="*" if settings.cors_origins == ("*",) else _ALLOWED,
        expose_headers=_EXPOSED,
        max_age=600,
    )


def _begin() -> None:
    request_id = new_request_id()
    set_state(RequestState(request_id, messages.first_dialect(request_id)))
    set_request_id(state().request_id)
    if request.query_string.count(b"&") >= _MOST_QUERY_PARAMETERS:
        raise RequestError(f"There are more than {_MOST_QUERY_PARAMETERS} query parameters.")
    if b"%00" in request.query_string or "\0" in request.path:
        raise RequestError("There is a NUL in the address.")


def _finish(response: Response, trusted: Sequence[Network]) -> Response:
    done = state()
    milliseconds = max(1, round((time.monotonic() - done.started) * 1000))
    response.headers["x-request-id"] = done.request_id
    messages.add_request_id(response)
    if "/v1/" in request.path:
        response.headers["openai-processing-ms"] = str(milliseconds)
        response.headers["openai-version"] = "2020-10-01"
    budget = runtime().bodies
    response.call_on_close(lambda: budget.give_back(done.body_bytes))
    _log_at_end(response, done, trusted)
    _record_at_end(response, done, trusted)
    if not done.body_read and _has_large_body():
        _end_connection_after(response)  # last: it leaves by an exception
    return response


def _has_large_body() -> bool:
    """Whether a body stands unread that is too large, or too unknown, to skip over."""
    if request.environ.get("HTTP_TRANSFER_ENCODING"):
        return True
    return (request.content_length or 0) > _SMALL_BODY_BYTES


def _end_connection_after(response: Response) -> None:
    sock = request.environ.get("gunicorn.socket")
    if sock is not None:
        response.headers["Connection"] = "close"
        response.call_on_close(lambda: end_connection(sock))


def _log_at_end(response: Response, done: RequestState, trusted: Sequence[Network]) -> None:
    """One line a request, when its last byte is out."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    fields: dict[str, object] = {
        "method": request.method,
        "path": _path_for_the_log(),
        "status": response.status_code,
        "client": client_address(request.remote_addr or "", forwarded, trusted),
    }
    level = logging.DEBUG if request.path in _PROBES or _is_poll() else logging.INFO

    def write() -> None:
        seconds = round(time.monotonic() - done.started, 3)
        log.log(level, "request", extra={**fields, "seconds": seconds})

    response.call_on_close(write)


def _record_at_end(response: Response, done: RequestState, trusted: Sequence[Network]) -> None:
    """For people to look at, where it is known who called."""
    recording = done.recording
    if recording is None or recording.caller is None:
        return
    held, path = runtime(), _path_for_the_log()
    forwarded = request.headers.get("X-Forwarded-For", "")
    address = client_address(request.remote_addr or "", forwarded, trusted)

    def write() -> None:
        seconds = time.monotonic() - done.started
        envelope = Envelope(done.request_id, path, address, response.status_code, seconds)
        write_record(recording, held, envelope)

    response.call_on_close(write)


def _is_poll() -> bool:
    """What a page that is left open asks every few seconds, by a script of ours."""
    is_json = request.headers.get("Accept") == "application/json"
    return request.method == "GET" and is_json and request.blueprint in _POLLED


def _path_for_the_log() -> str:
    """Without API_PREFIX, which is a kind of password, and without a token where clients put one."""
    prefix = runtime().settings.api_prefix
    path = request.path.removeprefix(f"/{prefix}") if prefix else request.path
    head, adds, _ = path.partition("/tokens/add/")
    return f"{head}{adds}***" if adds else path
