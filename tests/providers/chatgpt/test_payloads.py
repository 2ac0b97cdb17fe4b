"""providers.chatgpt.payloads: shapes decide, names only help."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.providers.chatgpt.payloads import (
    Shape,
    encoding_of,
    names_encoding,
    shape_of,
    type_of,
)


@pytest.mark.parametrize(
    ("payload", "event", "shape"),
    [
        ({"v": "x"}, "message", Shape.DELTA),
        ({"p": "/x", "o": "remove"}, "message", Shape.DELTA),
        ({"v": {"message": {}}, "c": 1, "type": "odd"}, "delta", Shape.DELTA),
        ({"message": {"id": "a"}, "error": None}, "message", Shape.SNAPSHOT),
        ({"message": {"id": "a"}, "type": "odd"}, "message", Shape.SNAPSHOT),
        ({"message": {"id": "a"}, "error": "x"}, "message", Shape.REFUSAL),
        ({"message": {"id": "a"}, "error": None, "error_code": "x"}, "message", Shape.REFUSAL),
        ({"message": None, "error": "x"}, "message", Shape.REFUSAL),
        ({"message": None, "error": None}, "message", Shape.UNKNOWN),
        ({"message": "text"}, "message", Shape.REFUSAL),
        ({"detail": "x"}, "message", Shape.REFUSAL),
        ({"wss_url": "x"}, "message", Shape.REFUSAL),
        ({"error_code": "x"}, "message", Shape.REFUSAL),
        ({"type": "title_generation"}, "message", Shape.TYPED),
        ({"type": "safety_review_update", "message": "x"}, "message", Shape.TYPED),
        ({"type": "error", "message": "x"}, "message", Shape.REFUSAL),
        ({"type": "odd", "error": {"code": "x"}}, "message", Shape.REFUSAL),
        ({"conversation_id": "c"}, "message_stream_complete", Shape.TYPED),
        ({"conversation_id": "c"}, "delta", Shape.UNKNOWN),
        ({}, "message", Shape.UNKNOWN),
    ],
)
def test_shapes(payload: dict[str, Any], event: str, shape: Shape) -> None:
    assert shape_of(payload, event) is shape


def test_types() -> None:
    assert type_of({"type": "done"}, "message") == "done"
    assert type_of({"type": None}, "moderation") == "moderation"


@pytest.mark.parametrize(("data", "version"), [('"v1"', "v1"), ("v1", "v1"), (' "v2" ', "v2")])
def test_encodings(data: str, version: str) -> None:
    assert encoding_of(data) == version


def test_an_announcement_without_its_name() -> None:
    assert [names_encoding(data) for data in ('"v1"', "v2", "{}", '"text"', '"v1"' * 9)] == [
        True,
        True,
        False,
        False,
        False,
    ]
