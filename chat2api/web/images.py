"""Pictures, by upstreams that make them: passed on as they are asked for."""

from __future__ import annotations

from flask import Blueprint, Response

from chat2api.web.passing import pass_on

blueprint = Blueprint("images", __name__)


@blueprint.post("/v1/images/generations")
def generate() -> Response:
    return pass_on("/images/generations", "images")


@blueprint.post("/v1/images/edits")
def edit() -> Response:
    return pass_on("/images/edits", "images")
