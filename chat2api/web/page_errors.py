"""Failures as browsers see them: the sign-in page where that helps, else a page that says what to do."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import HTTPException

from chat2api.errors import (
    AdminClosed,
    Chat2ApiError,
    ErrorInfo,
    InternalError,
    Unauthorized,
)
from chat2api.service.access import bearer_of
from chat2api.web.auth import as_text
from chat2api.web.errors import error_response, translated
from chat2api.web.languages import gettext
from chat2api.web.pages import harden, here, own_path, render_page
from chat2api.web.state import runtime, state

log = logging.getLogger(__name__)


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
    if isinstance(error, Unauthorized):
        return show_sign_in(error.status)
    if isinstance(error, AdminClosed):
        return render_page("closed.html", error.status)
    return render_page(
        "error.html",
        error.status,
        said=wording(error.info),
        request_id=state().request_id,
        back=here(),
    )


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
        action=url_for("sign_in.submit"),
    )


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
        case _:
            return info.message
