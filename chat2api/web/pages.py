"""What all pages share: templates, themes, security headers, and the files under `/_ui/`."""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Flask,
    Response,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from jinja2 import StrictUndefined

from chat2api.errors import NotFound
from chat2api.web.admin_auth import Admin, check_origin
from chat2api.web.compiled import compiled_templates
from chat2api.web.cookies import send_cookie
from chat2api.web.forms import read_form
from chat2api.web.languages import LANGUAGES, day, language, moment, set_up_languages, time_zone
from chat2api.web.times import how_long_ago, iso, seconds_text, short_time, soon_time, span

blueprint = Blueprint("pages", __name__, template_folder="templates")

THEMES = ("auto", "light", "dark")
ROWS = ("comfortable", "compact")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "manifest-src 'self'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_HERE = Path(__file__).parent
# What each file that pages load is made of; the desk's pages take parts from every one of its areas.
_ASSETS = {
    "page.css": ("text/css", ("page.css",)),
    "page.js": ("text/javascript", ("page.js",)),
    "desk.css": ("text/css", ("page.css", "desk/*.css")),
    "desk.js": ("text/javascript", ("page.js", "desk/*.js")),
}
_YEAR_SECONDS = 365 * 86_400
# Paths of ours: no host, no scheme, nothing that a browser would take for one (fault matrix H03).
_OWN_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/?(?:\?[A-Za-z0-9._~=&%+/-]*)?")
_LONGEST_PATH = 500


def set_up_pages(app: Flask) -> None:
    """Templates, translations, and the blueprint of what every page loads."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.bytecode_cache = compiled_templates()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        asset_url=asset_url,
        day=day,
        moment=moment,
        iso=iso,
        short_time=short_time,
        soon_time=soon_time,
        how_long_ago=how_long_ago,
        span=span,
        seconds_text=seconds_text,
    )
    set_up_languages(app)
    app.register_blueprint(blueprint)


# --- pages


def render_page(template: str, status: int = 200, **values: Any) -> Response:
    text = render_template(template, **values)
    return Response(text, status, content_type="text/html; charset=utf-8")


def harden(response: Response) -> Response:
    """For `after_request` of every blueprint that has pages or hands out what only admins may see."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@blueprint.app_context_processor
def _shared() -> dict[str, Any]:
    """What the layout needs of every page. `csrf` is empty for who is not signed in."""
    admin: Admin | None = g.get("chat2api_admin")
    session = None if admin is None else admin.session
    return {
        "lang": language(),
        "languages": LANGUAGES,
        "theme": theme(),
        "next_theme": THEMES[(THEMES.index(theme()) + 1) % len(THEMES)],
        "time_zone": time_zone(),
        "signed_in": session is not None,
        "csrf": "" if session is None else session.csrf,
        "here": here(),
    }


def theme() -> str:
    chosen = request.cookies.get("theme", "")
    return chosen if chosen in THEMES else "auto"


def here() -> str:
    """Where to come back to: the page shown, or after a form the page it stands on."""
    if request.method == "GET" and "/tokens/add/" not in request.path:
        query = urlencode([pair for pair in request.args.items(multi=True) if pair[0] != "lang"])
        return own_path(f"{request.path}?{query}".removesuffix("?"))
    match request.blueprint:
        case None | "start" | "pages":
            return "/"  # whoever got lost learns nothing of API_PREFIX
        case "why":
            return own_path(request.path.removesuffix("/sign-out"))
        case "tokens":
            return url_for("tokens.page")
    return url_for("sign_in.form" if request.endpoint == "sign_in.submit" else "desk.overview")


def own_path(wish: str | None) -> str:
    """A path of this server, or "" where `wish` might lead elsewhere."""
    if not wish or len(wish) > _LONGEST_PATH or not wish.startswith("/"):
        return ""
    return wish if _OWN_PATH.fullmatch(wish) else ""


# --- what pages load and send


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    compressed: bytes
    digest: str


@functools.cache
def asset(name: str) -> Asset:
    _, patterns = _ASSETS[name]
    parts = [path for pattern in patterns for path in sorted((_HERE / "static").glob(pattern))]
    content = b"\n".join(path.read_bytes() for path in parts)
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(content, gzip.compress(content, mtime=0), digest)


def asset_url(name: str) -> str:
    return url_for("pages.static_file", digest=asset(name).digest, name=name)


@blueprint.get("/_ui/static/<digest>/<name>")
def static_file(digest: str, name: str) -> Response:
    """Under its content's hash, so it may be kept for ever; an old address gets what there is now."""
    if name not in _ASSETS:
        raise NotFound("Unknown path.")
    found = asset(name)
    is_current = digest == found.digest
    headers = {
        "Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable"
        if is_current
        else "no-cache",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
    }
    content = found.content
    if request.accept_encodings["gzip"] > 0:
        content, headers["Content-Encoding"] = found.compressed, "gzip"
    return Response(content, headers=headers, content_type=f"{_ASSETS[name][0]}; charset=utf-8")


@blueprint.post("/_ui/preferences")
def preferences() -> Response:
    """Language, theme and height of rows, kept in cookies that hold nothing else; back to where the form stood."""
    check_origin()
    form = read_form()
    chosen = {name: form.first(name) or "" for name in ("lang", "theme", "rows")}
    if chosen["lang"] in LANGUAGES:
        remember({"lang": chosen["lang"]})
    if chosen["theme"] in THEMES:
        remember({"theme": chosen["theme"]})
    if chosen["rows"] in ROWS:
        remember({"rows": chosen["rows"]})
    return harden(see_other(own_path(form.first("next")) or "/"))


def see_other(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response


def remember(choice: Mapping[str, str]) -> None:
    """Set cookies of a year that only the server reads."""
    for name, value in choice.items():
        send_cookie(name, value, seconds=_YEAR_SECONDS, lax=True)
