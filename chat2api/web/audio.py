"""Speech, by upstreams that speak: passed on as it is asked for."""

from __future__ import annotations

from flask import Blueprint, Response

from chat2api.web.passing import pass_on

blueprint = Blueprint("audio", __name__)


@blueprint.post("/v1/audio/speech")
def speak() -> Response:
    return pass_on("/audio/speech", "audio")
