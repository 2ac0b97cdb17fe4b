"""The start page: alive, and nothing more to strangers (fault matrix G12)."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request, url_for

from chat2api.web.auth import caller_origin
from chat2api.web.json import json_response
from chat2api.web.page_errors import show_failures_as_pages, wants_page
from chat2api.web.pages import render_page
from chat2api.web.state import runtime

blueprint = Blueprint("start", __name__)
show_failures_as_pages(blueprint)

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


@blueprint.get("/")
def alive() -> Response:
    """With API_PREFIX the API's address is a secret itself, and neither it nor the sign-in is named."""
    is_open = not runtime().settings.api_prefix
    if not wants_page():
        return json_response({"status": "ok", "message": "This server is running."})
    return render_page(
        "start.html",
        api_address=_origin() + "/v1" if is_open else "",
        sign_in=url_for("sign_in.form") if is_open else "",
    )


@blueprint.get("/favicon.ico")
@blueprint.get("/favicon.png")
def no_icon() -> Response:
    return Response(status=204)


def _origin() -> str:
    """As configured; else what the caller named, if that can be a host at all."""
    public = runtime().settings.public_base_url
    if public is not None:
        return public.rstrip("/")
    return caller_origin() if _HOST.fullmatch(request.host) else ""
