"""What the control routes have in common."""

from __future__ import annotations

from typing import Any

from flask import current_app, request

from chat2api.simulator.simulator import Simulator


def the_simulator() -> Simulator:
    """The state of the application that runs."""
    simulator: Simulator = current_app.extensions["simulator"]
    return simulator


def sent() -> Any:
    """The body as JSON, whatever it calls itself; None when it is none."""
    return request.get_json(force=True, silent=True)
