"""Values against the schemas of strangers."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from chat2api.chat.json_schema import problems

CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "array", "items": {"enum": [1, 3]}},
    },
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"city": "Oslo", "days": [1, 3]}, []),
        ({}, ["'city' is a required property"]),
        ({"city": 5}, ["city: 5 is not of type 'string'"]),
        ({"city": "Oslo", "days": [1, 2]}, ["days[1]: 2 is not one of [1, 3]"]),
        (
            {"city": "Oslo", "x": 1},
            ["Additional properties are not allowed ('x' was unexpected)"],
        ),
        ([], ["[] is not of type 'object'"]),
    ],
)
def test_problems_have_a_path(value: Any, told: list[str]) -> None:
    assert problems(CITY, value) == told


def test_only_the_first_problems_are_told() -> None:
    assert len(problems({"items": {"type": "null"}}, list(range(100)))) == 5


def test_long_values_are_shortened() -> None:
    (told,) = problems({"type": "string"}, ["x" * 10_000])

    assert len(told) < 300
    assert told.endswith("is not of type 'string'")


def test_of_alternatives_the_nearest_is_told() -> None:
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    assert problems({"anyOf": [{"type": "null"}, place]}, {"city": 5}) == [
        "city: 5 is not of type 'string'"
    ]


def test_nullable_of_openapi_is_known() -> None:
    schema = {"type": "string", "enum": ["a"], "nullable": True}

    assert problems(schema, None) == []
    assert problems({**schema, "nullable": False}, None) != []


def test_older_drafts_are_known_by_name() -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "null"}]}

    assert problems(old, [1]) == ["[0]: 1 is not of type 'null'"]


@pytest.mark.parametrize(
    "schema",
    [
        True,
        "no schema",
        {"type": "unheard of"},
        {"type": 5},
        {"pattern": "("},
        {"required": 7},
        {"properties": "none"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.org/schema.json"},
        {"$schema": ["x"]},
        {"$schema": "https://example.org/own"},
        {"exclusiveMinimum": True, "minimum": 1},
        {"$ref": "#"},
    ],
)
def test_what_makes_no_sense_checks_nothing(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **more: Any) -> None:
        raise AssertionError("a schema was fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    assert problems(schema, "text") == []


def test_references_within_are_followed() -> None:
    tree = {
        "$defs": {
            "node": {"properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
        },
        "$ref": "#/$defs/node",
    }

    assert problems(tree, {"next": {"next": {"n": "x"}}}) == [
        "next.next.n: 'x' is not of type 'integer'"
    ]
