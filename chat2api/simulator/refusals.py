"""Refusing answers in the upstream's own words (sheet 5.11 and 10.4)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from chat2api.simulator.params import BadParameter
from chat2api.simulator.wire.items import Piece

JSON_TYPE = ("Content-Type", "application/json")
HTML_TYPE = ("Content-Type", "text/html; charset=UTF-8")

CAP = "You have sent too many messages to the model. Please try again later."
UNUSUAL = "Unusual activity has been detected from your device. Try again later."


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: a body of bytes, or of pieces when it is a stream."""

    status: int
    body: bytes | Iterable[Piece]
    headers: tuple[tuple[str, str], ...] = ()
    pause: float = 0.0  # seconds of silence before the headers
    headers_first: bool = True  # a stream's headers go out before its first piece is ready
    raw: bytes | None = None  # sent past the HTTP layer, in place of the headers

    @property
    def pieces(self) -> Iterator[Piece]:
        return iter((self.body,) if isinstance(self.body, bytes) else self.body)

    def with_headers(self, *headers: tuple[str, str]) -> Reply:
        return replace(self, headers=(*self.headers, *headers))


class Refusal(Exception):
    """Raised where a request is found wanting; `reason` is counted in the statistics."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(reason)
        self.reply = reply
        self.reason = reason


def json_reply(value: Any, status: int = 200, *headers: tuple[str, str]) -> Reply:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate becomes the escape that JSON has for it.
    return Reply(status, text.encode("utf-8", "backslashreplace"), (JSON_TYPE, *headers))


def detail(status: int, text: object) -> Reply:
    """`{"detail": …}` with a text, an object or a list."""
    return json_reply({"detail": text}, status)


def coded(status: int, code: str, text: str, **more: object) -> Reply:
    """`{"detail": {"code", "message", …}}`."""
    return detail(status, {"code": code, "message": text, **more})


def errored(status: int, code: str, text: str, **more: object) -> Reply:
    """`{"error": {"code", "message", "type", …}}`."""
    return json_reply({"error": {"code": code, "message": text, "type": code, **more}}, status)


def invalidated() -> Reply:
    text = "Your authentication token has been invalidated. Please try signing in again."
    return errored(401, "token_invalidated", text)


def workspace_deactivated() -> Reply:
    return coded(402, "deactivated_workspace", "This workspace has been deactivated.")


def used_up(form: str, plan: str, resets_at: float, now: float) -> Reply:
    """429 for a quota that is used up, in the web chat's words or in the Codex backend's."""
    left = math.ceil(resets_at - now)
    if form == "clears_in":
        return coded(429, "model_cap_exceeded", CAP, clears_in=left)
    text = "The usage limit has been reached"
    more = {"plan_type": plan, "resets_at": int(resets_at), "resets_in_seconds": left}
    return errored(429, "usage_limit_reached", text, **more, eligible_promo=None)


_GRANT_TEXTS = {
    "refresh_token_expired": "Your refresh token has expired. Please log in again.",
    "refresh_token_reused": "Your refresh token has already been used. Please log in again.",
    "refresh_token_invalidated": "Your session has ended. Please log in again.",
    "invalid_grant": "Unknown or invalid refresh token.",
    "unsupported_grant_type": "Grant type not supported.",
    "invalid_request": "The request is missing a required parameter.",
    "authorization_pending": "Nobody has entered the code yet.",
    "slow_down": "You ask too often.",
    "access_denied": "The person did not allow it.",
    "expired_token": "The code has expired.",
}


def grant_refused(code: str, form: str = "auto", status: int | None = None) -> Reply:
    """The token endpoint's refusal. `form` is where the code stands: `object` in `error.code`,
    `string` in `error`, `code` at the top; `auto` as is usual for it."""
    text = _GRANT_TEXTS.get(code, "Please log in again.")
    is_ours = code.startswith("refresh_token_")
    if status is None:
        status = 401 if is_ours else 400
    match form, is_ours:
        case ("object", _) | ("auto", True):
            return errored(status, code, text, param=None)
        case ("string", _) | ("auto", False):
            return json_reply({"error": code, "error_description": text}, status)
        case ("code", _):
            return json_reply({"code": code, "message": text}, status)
    raise BadParameter(f"form={form!r} is none of auto, object, string, code")


def unusual_activity(reason: str) -> Refusal:
    return Refusal(detail(403, UNUSUAL), reason)


def not_found() -> Reply:
    return detail(404, "Not Found")


def model_not_found(slug: str) -> Reply:
    text = f"The model `{slug}` does not exist or you do not have access to it."
    return detail(
        404,
        {
            "message": text,
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        },
    )


def conversation_not_found() -> Reply:
    return coded(404, "conversation_not_found", "Can't load this conversation.")


def wrong_schema(*problems: tuple[tuple[str | int, ...], str, str]) -> Refusal:
    """422 with one entry per problem: where, what, kind."""
    items = [{"type": kind, "loc": ["body", *where], "msg": text} for where, text, kind in problems]
    return Refusal(detail(422, items), "schema")
