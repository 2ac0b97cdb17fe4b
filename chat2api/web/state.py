"""What a request in work carries in Flask's `g`, typed, and how views reach the runtime."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app, g

from chat2api.dialects.protocol import Dialect
from chat2api.runtime import Runtime
from chat2api.web.recording import Recording


@dataclass(slots=True)
class RequestState:
    """`dialect` draws errors; `body_read` says whether the request body was taken in,
    `body_bytes` how much of the worker's budget it takes up. `recording` is there for requests that are
    to be written down."""

    request_id: str
    dialect: Dialect
    started: float = field(default_factory=time.monotonic)
    body_read: bool = False
    body_bytes: int = 0
    recording: Recording | None = None


def runtime() -> Runtime:
    """The one that this request began with, whatever was reloaded since; outside of one, the current."""
    held = g.get("chat2api_runtime")
    if held is None:
        held = g.chat2api_runtime = current_app.extensions["chat2api"]
    return cast(Runtime, held)


def attach_runtime(app: Flask, value: Runtime) -> None:
    app.extensions["chat2api"] = value


def state() -> RequestState:
    return cast(RequestState, g.chat2api)


def set_state(value: RequestState) -> None:
    g.chat2api = value
