"""Where clients find the API: the address as a caller sees it, and what is served there."""

from __future__ import annotations

import re

from flask import current_app, request

from chat2api.web.auth import caller_origin
from chat2api.web.recipes import Place
from chat2api.web.state import runtime

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def public_origin() -> str:
    """As configured; else what the caller named, if that can be a host at all; else empty."""
    public = runtime().settings.public_base_url
    if public is not None:
        return public.rstrip("/")
    return caller_origin() if _HOST.fullmatch(request.host) else ""


def api_place(key: str | None = None, model: str = "auto") -> Place:
    """For recipes. Behind a host that is none it is the machine itself."""
    settings = runtime().settings
    origin = public_origin() or f"http://127.0.0.1:{settings.port}"
    return Place(origin, settings.api_prefix, key, model, _served())


def _served() -> frozenset[str]:
    """The paths of the API that take a POST, without API_PREFIX."""
    prefix = runtime().settings.api_prefix
    start = f"/{prefix}" if prefix else ""
    return frozenset(
        rule.rule.removeprefix(start)
        for rule in current_app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.rule.startswith(f"{start}/v1/")
    )
