"""Where clients find the API: the address as a caller sees it, and what is served there."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import current_app

from chat2api.web.auth import caller_origin
from chat2api.web.recipes import Place
from chat2api.web.state import runtime

_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


def public_origin() -> str:
    """As configured; else what the caller named, if that can be a host at all; else empty."""
    public = runtime().settings.public_base_url
    if public is not None:
        return public.rstrip("/")
    origin = caller_origin()
    return origin if _is_origin(origin) else ""


def _is_origin(text: str) -> bool:
    """A proxy may hand on whatever its caller said, so all of it is looked at."""
    scheme, _, host = text.partition("://")
    try:
        urlsplit(text)  # what is no address in brackets fails here
    except ValueError:
        return False
    return scheme in ("http", "https") and _HOST.fullmatch(host) is not None


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
