"""Probes. They tell strangers nothing about accounts."""

from __future__ import annotations

from flask import Blueprint, Response

from chat2api.web.json import json_response
from chat2api.web.state import runtime

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return json_response({"status": "ok"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """New work is welcome."""
    held = runtime()
    if held.lifecycle.draining:
        response = json_response({"status": "shutting_down"}, 503)
        response.headers["Retry-After"] = "5"
        return response
    return json_response({"status": "degraded" if held.degraded() else "ready"})


@blueprint.get("/ping")
def ping() -> Response:
    return json_response({"message": "pong"})
