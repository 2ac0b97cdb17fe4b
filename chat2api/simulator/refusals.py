"""Refusing answers in the upstream's own words (sheet 5.11 and 10.4)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from chat2api.simulator.wire.items import Piece

JSON_TYPE = ("Content-Type", "application/json")
HTML_TYPE = ("Content-Type", "text/html; charset=UTF-8")

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
