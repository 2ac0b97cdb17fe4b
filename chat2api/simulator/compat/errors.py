"""Refusals in the words of this API, also of those that the web backend would word differently."""

from __future__ import annotations

import json
from typing import Any

from chat2api.simulator.compat.asking import Wrong
from chat2api.simulator.refusals import Refusal, Reply, json_reply

_KINDS = {401: "invalid_request_error", 403: "permission_error", 429: "requests"}


def error(status: int, text: str, *, param: str | None = None, code: str | None = None) -> Reply:
    """`{"error": {"message", "type", "param", "code"}}`."""
    kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    told = {"message": text, "type": kind, "param": param, "code": code}
    return json_reply({"error": told}, status)


def refused(wrong: Wrong) -> Refusal:
    return Refusal(error(400, str(wrong), param=wrong.param, code=wrong.code), "body")


def in_our_words(reply: Reply) -> Reply:
    """A refusal with `detail` as one with `error`; anything else as it is."""
    if not isinstance(reply.body, bytes):
        return reply
    try:
        body = json.loads(reply.body)
    except ValueError:
        return reply
    if not isinstance(body, dict) or "detail" not in body:
        return reply
    worded = error(reply.status, _text(body["detail"]), code=_code(body["detail"]))
    kept = [header for header in reply.headers if header[0] not in ("Content-Type",)]
    return worded.with_headers(*kept)


def _text(detail: Any) -> str:
    return str(detail.get("message", "")) if isinstance(detail, dict) else str(detail)


def _code(detail: Any) -> str | None:
    return detail.get("code") if isinstance(detail, dict) else None
