"""Signing in and out of administration, for people; scripts send a bearer instead."""

from __future__ import annotations

import math

from flask import Blueprint, Response, request, url_for

from chat2api.errors import TooManyLoginAttempts, Unauthorized
from chat2api.secret import Secret
from chat2api.web.admin_auth import current_session, sign_in, sign_out
from chat2api.web.forms import read_admin_form, read_form
from chat2api.web.languages import gettext
from chat2api.web.page_errors import show_failures_as_pages, show_sign_in, wants_page
from chat2api.web.pages import own_path, see_other
from chat2api.web.state import runtime

blueprint = Blueprint("sign_in", __name__)
show_failures_as_pages(blueprint)


@blueprint.get("/admin/sign-in")
def form() -> Response:
    wish = own_path(request.args.get("next"))
    if current_session() is not None:
        return see_other(wish or url_for("desk.overview"))
    runtime().administration.access.refuse_if_closed()
    return show_sign_in(wish=wish)


@blueprint.post("/admin/sign-in")
def submit() -> Response:
    sent = read_form()
    wish = own_path(sent.first("next"))
    try:
        sign_in(Secret(sent.first("password") or ""))
    except Unauthorized as error:
        if not wants_page():
            raise
        return show_sign_in(error.status, gettext("That is not right. Try again."), wish=wish)
    except TooManyLoginAttempts as error:
        if not wants_page():
            raise
        wait = max(1, math.ceil(error.retry_after or 0))
        response = show_sign_in(error.status, wait_seconds=wait, wish=wish)
        response.headers["Retry-After"] = str(wait)
        return response
    return see_other(wish or url_for("desk.overview"))


@blueprint.post("/admin/sign-out")
def leave() -> Response:
    read_admin_form()
    sign_out()
    return see_other(url_for("sign_in.form"))
