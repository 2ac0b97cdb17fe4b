"""GET /v1/models and /v1/models/ID."""

from __future__ import annotations

from flask import Blueprint, Response

from chat2api.dialects.openai_models import render_model, render_models
from chat2api.web.auth import principal
from chat2api.web.calls import watched_call
from chat2api.web.json import json_response
from chat2api.web.state import runtime

blueprint = Blueprint("models", __name__)


@blueprint.get("/v1/models")
def list_models() -> Response:
    caller = principal()
    with watched_call() as call:
        return json_response(render_models(runtime().catalog.available(caller, call)))


@blueprint.get("/v1/models/<path:name>")
def retrieve_model(name: str) -> Response:
    caller = principal()
    with watched_call() as call:
        return json_response(render_model(runtime().catalog.find(name, caller, call)))
