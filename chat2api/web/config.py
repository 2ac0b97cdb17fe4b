"""The administration's API of the configuration file: shown masked, changed as a whole or not at all."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from chat2api.errors import Chat2ApiError, ErrorInfo
from chat2api.web.admin_auth import note_change, require_admin
from chat2api.web.body import parse_object
from chat2api.web.calls import read_bytes
from chat2api.web.errors import error_response, translated
from chat2api.web.json import json_response
from chat2api.web.pages import harden
from chat2api.web.state import runtime

blueprint = Blueprint("config", __name__)
blueprint.after_request(harden)

MOST_BYTES = 8 * 1024 * 1024


@blueprint.get("/admin/api/config")
def show() -> Response:
    require_admin()
    return _shown(runtime().config.view())


@blueprint.put("/admin/api/config")
def change() -> Response:
    """Raises RequestError (400), Conflict (409), NoConfigFile (503), InternalError (500)."""
    require_admin()
    body = parse_object(read_bytes(MOST_BYTES))
    done = runtime().config.change(body, request.headers.get("If-Match"))
    if done.changes:
        note_change("change configuration", done.view["config_path"], {"changes": done.changes})
    more = {"changes": done.changes, "warnings": done.warnings, "valid_keys": done.valid_keys}
    return _shown(done.view | more)


@blueprint.delete("/admin/api/config/backup")
def forget_backup() -> Response:
    """The copy of the file before the last change goes: it holds the secrets of before."""
    require_admin()
    removed = runtime().config.forget_backup()
    if removed:
        note_change("delete configuration backup")
    return json_response({"removed": removed})


def _shown(view: dict[str, object]) -> Response:
    response = json_response(view)
    response.set_etag(str(view["revision"]))
    return response


# --- errors, in the shape that clients of this API know


@blueprint.errorhandler(Chat2ApiError)
def _expected(error: Chat2ApiError) -> Response:
    response = error_response(error.info)
    response.set_data(json_response(document_of(error.info)).get_data())
    return response


@blueprint.errorhandler(HTTPException)
def _from_werkzeug(error: HTTPException) -> Response:
    return _expected(translated(error))


def document_of(info: ErrorInfo) -> dict[str, object]:
    """`error` is the text; `detail` is what the same clients look for when they are not let in."""
    document: dict[str, object] = {"error": info.message, "code": info.code}
    if info.param is not None:
        document["param"] = info.param
    if info.status in (401, 403, 429):
        document["detail"] = {"code": info.status, "msg": info.message, "error": None}
    return document
