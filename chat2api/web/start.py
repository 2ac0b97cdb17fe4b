"""The start page: alive, and nothing more to strangers (fault matrix G12); how things are for the operator."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, request, url_for

from chat2api.errors import StorageUnavailable
from chat2api.settings.model import Settings
from chat2api.store.api_keys import ApiKey
from chat2api.web.admin_auth import current_session, require_admin
from chat2api.web.api_place import api_place, public_origin
from chat2api.web.desk.health import health
from chat2api.web.json import json_response
from chat2api.web.languages import gettext
from chat2api.web.page_errors import show_failures_as_pages, wants_page
from chat2api.web.pages import render_page
from chat2api.web.recipes import Recipe, model_for, recipes
from chat2api.web.state import runtime

blueprint = Blueprint("start", __name__)
show_failures_as_pages(blueprint)

_MOST_KEYS = 100
# What `settings.first_key` writes into a configuration file.
_MADE_HERE = re.compile(r"sk-[0-9a-f]{48}")


@blueprint.get("/")
def alive() -> Response:
    """A page for people; scripts get the same JSON whoever they are."""
    if not wants_page():
        return json_response({"status": "ok", "message": "This server is running."})
    return _for_the_operator() if _is_signed_in() else _for_strangers()


@blueprint.get("/favicon.ico")
@blueprint.get("/favicon.png")
def no_icon() -> Response:
    return Response(status=204)


def _for_strangers() -> Response:
    """With API_PREFIX the API's address is a secret itself, and neither it nor the sign-in is named."""
    is_open = not runtime().settings.api_prefix
    origin = public_origin() if is_open else ""
    how: tuple[Recipe, ...] = recipes(api_place(), gettext) if origin else ()
    return _page(
        api_address=f"{origin}/v1" if origin else "",
        sign_in=url_for("sign_in.form") if is_open else "",
        recipes=how,
        first_key=_where_the_first_key_is(),
    )


def _for_the_operator() -> Response:
    """Keys are known by their hash only, so recipes name the one that belongs in them."""
    usable = runtime().desk.keys.page(usable=True, most=_MOST_KEYS)
    chosen = _chosen(usable, request.args.get("key", ""))
    model = model_for(runtime().catalog.known(), () if chosen is None else chosen.models)
    place = api_place(None, model)
    return _page(
        api_address=place.api,
        health=health(),
        recipes=recipes(place, gettext),
        keys=usable,
        chosen=chosen,
    )


def _page(**values: Any) -> Response:
    defaults: dict[str, Any] = {
        "sign_in": "", "first_key": "", "health": None, "keys": (), "chosen": None,
    }  # fmt: skip
    return render_page(
        "start.html",
        style="desk.css",
        script="desk.js",
        has_web_chat="enable_gateway" in Settings.model_fields,
        **{**defaults, **values},
    )


def _is_signed_in() -> bool:
    """Also lets the frame of the page know. Where the database is away, everybody is a stranger."""
    try:
        if current_session() is None:
            return False
        require_admin()
    except StorageUnavailable:
        return False
    return True


def _chosen(usable: tuple[ApiKey, ...], wish: str) -> ApiKey | None:
    return next((key for key in usable if key.key_id == wish), usable[0] if usable else None)


def _where_the_first_key_is() -> str:
    """`terminal`, `file`, or nothing once somebody has signed in, or where no key was made."""
    held = runtime()
    configured = held.settings.authorization
    try:
        if len(configured) == 1 and _MADE_HERE.fullmatch(configured[0].reveal()):
            where = "file" if held.config.in_file("authorization") else ""
        elif not configured:
            first = held.desk.keys.first()
            where = "" if first is None or first.revoked_at is not None else "terminal"
        else:
            where = ""
        return where if where and not held.audit.has_early("sign in") else ""
    except StorageUnavailable:
        return ""
