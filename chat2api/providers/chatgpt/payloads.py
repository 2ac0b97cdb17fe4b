"""Tells the payloads of a stream apart, by shape and not by event name (sheet 5.1). Pure."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any

# Names that an event has when it has none of its own.
_PLAIN_EVENTS = frozenset({"message", "delta", "delta_encoding"})

ENCODING = "v1"
_VERSION = re.compile(r"v\d{1,3}")


class Shape(Enum):
    DELTA = auto()
    SNAPSHOT = auto()
    TYPED = auto()
    REFUSAL = auto()
    UNKNOWN = auto()


def shape_of(payload: dict[str, Any], event: str) -> Shape:
    """Relays and old servers drop event names, so these only help where the shape says nothing."""
    message = payload.get("message")
    kind = payload.get("type")
    if "v" not in payload and isinstance(kind, str) and not isinstance(message, dict):
        is_error = kind == "error" or bool(payload.get("error"))
        return Shape.REFUSAL if is_error else Shape.TYPED
    if "v" in payload or "p" in payload or "o" in payload:
        return Shape.DELTA
    if payload.get("error") or payload.get("error_code") or isinstance(message, str):
        return Shape.REFUSAL
    if isinstance(message, dict):
        return Shape.SNAPSHOT
    if "message" in payload:
        return Shape.UNKNOWN
    if "detail" in payload or "wss_url" in payload:
        return Shape.REFUSAL
    return Shape.UNKNOWN if event in _PLAIN_EVENTS else Shape.TYPED


def type_of(payload: dict[str, Any], event: str) -> str:
    """The type of a typed event: its own field, else the event's name."""
    kind = payload.get("type")
    return kind if isinstance(kind, str) else event


def names_encoding(data: str) -> bool:
    """Whether this is the announcement of an encoding that lost its event name."""
    return len(data) < 10 and _VERSION.fullmatch(encoding_of(data)) is not None


def encoding_of(data: str) -> str:
    """The version that `event: delta_encoding` names, quoted or bare."""
    return data.strip().strip('"')
