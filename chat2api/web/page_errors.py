"""Failures as browsers see them: the sign-in page where that helps, else a page that says what to do."""

from __future__ import annotations

import functools
import logging
import math
import re
import time
from pathlib import Path

from flask import Blueprint, Flask, Response, request, url_for
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from chat2api.errors import (
    AdminClosed,
    Chat2ApiError,
    ErrorInfo,
    InternalError,
    Unauthorized,
)
from chat2api.service.access import bearer_of
from chat2api.settings.demo import DEMO_KEY, DEMO_SOURCE
from chat2api.settings.version import version
from chat2api.web.admin_auth import current_session
from chat2api.web.auth import as_text
from chat2api.web.errors import error_response, refusal_of, translated
from chat2api.web.languages import gettext
from chat2api.web.pages import harden, here, own_path, render_page
from chat2api.web.state import runtime, state
from chat2api.web.times import iso

log = logging.getLogger(__name__)

_API = re.compile(r"^(?:/[^/]+)?/(?:v1|api)(?:/|$)")


def show_failures_as_pages(blueprint: Blueprint) -> None:
    """Browsers get pages, scripts the JSON they know; nothing of it is framed, kept or sniffed."""
    blueprint.register_error_handler(Chat2ApiError, _expected)
    blueprint.register_error_handler(HTTPException, _from_werkzeug)
    blueprint.register_error_handler(Exception, _unforeseen)
    blueprint.after_request(harden)


def wants_page() -> bool:
    """Whether a person looks at the answer: browsers ask for HTML by name, and send no bearer."""
    if bearer_of(as_text(request.headers.get("Authorization"))):
        return False
    return any(
        mimetype == "text/html" and quality > 0 for mimetype, quality in request.accept_mimetypes
    )


def _expected(error: Chat2ApiError) -> Response:
    if not wants_page():
        return error_response(error.info)
    response = _page(error)
    for name, value in error_response(error.info).headers.items():
        if name == "Retry-After":
            response.headers[name] = value
    return response


def _page(error: Chat2ApiError) -> Response:
    try:
        if isinstance(error, Unauthorized):
            return show_sign_in(error.status)
        if isinstance(error, AdminClosed):
            return render_page("closed.html", error.status)
        return _failure_page(error.info)
    except Exception:  # whatever it was, a person gets a page
        log.exception("the page of an error failed")
        text = fallback().replace("REQUEST_ID", state().request_id)
        return Response(text, error.status, content_type="text/html; charset=utf-8")


def _failure_page(info: ErrorInfo) -> Response:
    now = time.time()
    is_lost = info.status == 404
    return render_page(
        "error.html",
        info.status,
        title=gettext("Nothing here") if is_lost else gettext("That did not work"),
        said=wording(info),
        advice=advice(info),
        wait_seconds=math.ceil(info.retry_after or 0) if info.status == 429 else 0,
        back="/" if is_lost else here(),
        back_label=gettext("To the start") if is_lost else gettext("Go back"),
        request_id=state().request_id,
        at=now,
        report=_report(info, now) if info.status == 500 else "",
    )


def _report(info: ErrorInfo, now: float) -> str:
    """What whoever looks for the cause needs; the version for the operator only."""
    lines = [f"request {state().request_id}", f"time {iso(now)}", f"page {own_path(request.path)}"]
    if current_session() is not None:
        lines.append(f"version {version()}")
    return "\n".join([*lines, f"status {info.status}"])


@functools.cache
def fallback() -> str:
    """A page that needs no template, no style and no database."""
    return (Path(__file__).parent / "static" / "fallback.html").read_text("utf-8")


def show_lost_as_pages(app: Flask) -> None:
    """Paths and methods that nobody serves: a page for browsers, but under the API, and JSON for all else."""
    for code in (404, 405):
        app.register_error_handler(code, _lost)


def _lost(error: HTTPException) -> Response:
    if wants_page() and not _API.search(request.path):
        response = harden(_page(translated(error)))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response
    return refusal_of(error)


def _from_werkzeug(error: HTTPException) -> Response:
    return _expected(translated(error))


def _unforeseen(error: Exception) -> Response:
    log.exception("unforeseen error")
    return _expected(InternalError("Internal error; the log has it under this request id."))


def show_sign_in(
    status: int = 200, problem: str = "", wait_seconds: int = 0, wish: str | None = None
) -> Response:
    """The form with one field. `wish` is the path to go on to; None for where one is."""
    access = runtime().administration.access
    return render_page(
        "sign_in.html",
        status,
        problem=problem,
        wait_seconds=wait_seconds,
        wish=here() if wish is None else own_path(wish),
        opened_by=access.opened_by,
        weak=access.weak,
        demo_key=DEMO_KEY if _is_demo_key() else "",
        action=url_for("sign_in.submit"),
    )


def _is_demo_key() -> bool:
    """Whether the key is the demo's, which is said to everybody: that listens on this machine only."""
    return runtime().config.source_of("authorization") == DEMO_SOURCE


def wording(info: ErrorInfo) -> str:
    """What a person reads, in their language where the failure is one that people meet."""
    match info.code:
        case "csrf_failed":
            return gettext(
                "This page was too old, or something else asked for the change. Nothing was changed; try again."
            )
        case "request_too_large":
            return gettext("That is too much at once. Nothing was stored; send it in parts.")
        case "too_many_login_attempts":
            return gettext("Too many wrong passwords. Wait a little, then try again.")
        case "storage_unavailable":
            return gettext(
                "The database does not answer. Your tokens are fine; try again in a minute."
            )
        case "internal_error":
            return gettext(
                "Something went wrong here, and it is not your fault. The log has it under the id below."
            )
        case "request_timeout":
            return gettext("It did not arrive in time. Nothing was stored; try again.")
        case "not_plain_text":
            return gettext("This is no plain text in UTF-8. Nothing was stored.")
        case "not_found":
            return gettext("There is nothing here.")
        case "method_not_allowed":
            return gettext("This page cannot be asked for in this way.")
        case "version_conflict":
            return gettext("Somebody else changed this first. Nothing was changed.")
        case _:
            return info.message


def advice(info: ErrorInfo) -> str:
    """What to do now, where the sentence does not say it already."""
    match info.status:
        case 400 | 413 | 415:
            return gettext("Go back, correct it, and send it again.")
        case 404:
            return gettext("The address may be mistyped, or what was here is gone.")
        case 409:
            return gettext("Go back and load the page anew to see how it is now.")
        case 500:
            return gettext(
                "Try again. If it stays, give the report below to whoever runs this server."
            )
        case 502 | 504:
            return gettext("The fault is upstream's. Try again in a minute.")
        case _:
            return ""
