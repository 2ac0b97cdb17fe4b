"""Finds code, message and reset time in a refusal of any shape: JSON of many kinds, text, a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat2api.providers.chatgpt import resets

_LONGEST_MESSAGE = 500

_CHALLENGE_SIGNS = ("just a moment", "cf_chl_opt", "cf-please-wait", "challenge-platform")
_CODE_SHAPE = re.compile(r"[a-z][a-z0-9]*(?:[_.-][a-z0-9]+)+\Z", re.IGNORECASE)
_SECRET_SHAPE = re.compile(r"\b(?:eyJ|gAAAAA|sk-|sess-|rt_|fk-)[\w.~+/=-]{8,}")

Body = bytes | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal says. Empty strings where it says nothing; `reset_seconds` from now.

    `code` is in lower case. `message` is plain text that may be shown: no page, no token, not long.
    """

    status: int
    code: str
    message: str
    reset_seconds: float | None
    is_page: bool


def read_refusal(
    status: int,
    content_type: str,
    headers: Mapping[str, str],
    body: Body,
    now: float,
) -> Refusal:
    """Code, message and reset time from any shape of sheet 10.4: JSON of many kinds, text, a page, nothing."""
    document = _parse(body)
    is_page = document is None and _is_page(content_type, body)
    if isinstance(document, Mapping):
        parts = list(_parts(document))
        code = "wss_url" if "wss_url" in document else _code(parts)
        message = _message(parts)
    elif is_page or document is None:
        parts, code, message = [], "", "" if is_page else _as_text(body)
    else:
        parts, code, message = [], "", document if isinstance(document, str) else ""
    if not code and _CODE_SHAPE.match(message):
        code = message
    if message == code:
        message = ""
    reset = resets.seconds_in_body(parts, now)
    if reset is None:
        reset = resets.seconds_in_header(_header(headers, "retry-after"), now)
    if reset is None:
        reset = resets.seconds_in_text(message)
    return Refusal(status, code.lower(), _plain(message), reset, is_page)


def _parse(body: Body) -> Any:
    if isinstance(body, Mapping):
        return body
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return {} if document is None else document


def _as_text(body: Body) -> str:
    if isinstance(body, bytes):
        return body.decode("utf-8", "replace")
    return body if isinstance(body, str) else ""


def _is_page(content_type: str, body: Body) -> bool:
    return "html" in content_type.lower() or _as_text(body).lstrip().startswith("<")


def is_challenge(content_type: str, headers: Mapping[str, str], body: Body) -> bool:
    """Whether this is a browser check, whatever its status."""
    if _header(headers, "cf-mitigated") == "challenge":
        return True
    if isinstance(body, Mapping) or not _is_page(content_type, body):
        return False
    page = _as_text(body).lower()
    return any(sign in page for sign in _CHALLENGE_SIGNS)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _parts(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The objects that may hold the story, the innermost first."""
    for name in ("error", "detail"):
        inner = document.get(name)
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if isinstance(inner, Mapping):
            yield inner
    yield document


def _code(parts: list[Mapping[str, Any]]) -> str:
    for name in ("code", "error_code", "type"):
        for part in parts:
            value = part.get(name)
            # The standard types name a family and not a reason.
            if isinstance(value, str) and value and not value.endswith("_error"):
                return value
    # As OAuth words it: `error` is a code where it looks like one.
    errors = (part.get("error") for part in parts)
    return next((e for e in errors if isinstance(e, str) and _CODE_SHAPE.match(e)), "")


def _message(parts: list[Mapping[str, Any]]) -> str:
    for part in parts:
        for name in ("message", "msg", "detail", "error_description", "error", "error_message"):
            value = part.get(name)
            if isinstance(value, str) and value:
                return value
    return ""


def _plain(message: str) -> str:
    """One line of text that may be shown to the caller."""
    if "<" in message and re.search(r"<(?:!doctype|html|head|body|script|div)\b", message, re.I):
        return ""
    line = " ".join(_SECRET_SHAPE.sub("***", message[: 2 * _LONGEST_MESSAGE]).split())
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"
