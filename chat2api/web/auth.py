"""From the request's headers to who is calling."""

from __future__ import annotations

from flask import request

from chat2api.service.access import Principal
from chat2api.web.state import runtime


def principal() -> Principal:
    """Raises Unauthorized. A key in the query string is never looked at: it would end in logs."""
    authorization = request.headers.get("Authorization") or request.headers.get("X-Api-Key")
    return runtime().access.identify(authorization, request.headers.get("ChatGPT-Account-ID"))
