"""Values for schemas: they fit, they are made of the text, and the same text gives the same value."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.simulator.mind.imagine import as_json, imagine

TEXT = "Alice and Bob meet in Paris on Friday at 3 for 'a quick lunch'."

EVENT = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "date": {"type": "string"},
        "participants": {"type": "array", "items": {"type": "string"}},
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
    },
    "required": ["name", "date", "participants", "hour"],
    "additionalProperties": False,
}


def fits(value: Any, schema: Any) -> bool:
    jsonschema.Draft202012Validator(schema).validate(value)
    return True


def test_no_schema_makes_a_value_without_end() -> None:
    assert len(imagine({"type": "array", "minItems": 10**30}, TEXT)) == 10_000
    assert 10_000 <= len(imagine({"type": "string", "minLength": 10**30}, TEXT)) < 40_000


def test_a_value_is_made_of_the_text() -> None:
    value = imagine(EVENT, "Alice and Bob are going to a science fair on Friday at 3.")
    assert value == {
        "name": "Alice",
        "date": "Friday",
        "participants": ["Alice", "Bob"],
        "hour": 3,
    }


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"type": "string", "default": "as usual"}, "as usual"),
        ({"enum": ["London", "Paris"]}, "Paris"),
        ({"enum": [1, 2]}, 1),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 3),
        ({"allOf": [{"type": "integer"}, {"minimum": 10}]}, 10),
        ({"type": "number", "exclusiveMinimum": 3, "maximum": 3.5}, 3.25),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": True}, 4),
        ({"type": "integer", "multipleOf": 7, "minimum": 1}, 7),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "pattern": r"^\d{3}-[A-F]{2}$"}, "111-AA"),
        ({"type": "string", "maxLength": 4}, "a qu"),
        (
            {"type": "array", "items": {"enum": ["Rome", "Paris", "Bob"]}, "uniqueItems": True},
            ["Paris", "Bob"],
        ),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}, None),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}, {"const": "x"}], "items": False},
            [3, "x"],
        ),
        ({}, None),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"answer": 3}),
    ],
)
def test_what_a_schema_may_say(schema: Any, value: Any) -> None:
    made = imagine(schema, TEXT)
    assert fits(made, schema if schema.get("exclusiveMinimum") is not True else {})
    if value is not None:
        assert made == value


def test_references_and_alternatives_told_apart_by_a_word() -> None:
    schema = {
        "$defs": {
            "cat": {
                "type": "object",
                "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}},
                "required": ["kind", "lives"],
            },
            "dog": {
                "type": "object",
                "properties": {"kind": {"const": "dog"}},
                "required": ["kind"],
            },
        },
        "type": "object",
        "properties": {"pet": {"oneOf": [{"$ref": "#/$defs/cat"}, {"$ref": "#/$defs/dog"}]}},
        "required": ["pet"],
    }
    assert imagine(schema, "my dog") == {"pet": {"kind": "dog"}}
    assert imagine(schema, "my 9 lives") == {"pet": {"kind": "cat", "lives": 9}}


@pytest.mark.parametrize(
    "link",
    [
        {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        {"type": "array", "items": {"$ref": "#"}},
    ],
)
def test_a_schema_that_contains_itself_comes_to_an_end(link: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"value": {"type": "string"}, "next": link},
        "required": ["value", "next"],
        "additionalProperties": False,
    }
    assert fits(imagine(schema, TEXT), schema)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}, {"anyOf": [{"$ref": "#"}]}]
)
def test_a_schema_that_is_nothing_but_itself_does_no_harm(schema: Any) -> None:
    as_json(imagine(schema, TEXT))


def test_arguments_leave_out_what_nobody_spoke_of() -> None:
    schema = {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer"},
        },
        "required": ["location"],
    }
    assert imagine(schema, "Weather in Oslo?", sparing=True) == {"location": "Oslo"}
    said = imagine(schema, "Weather in Oslo for 5 days in fahrenheit?", sparing=True)
    assert said == {"location": "Oslo", "unit": "fahrenheit", "days": 5}


_plain = st.one_of(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "boolean"},
            {"type": ["string", "null"]},
            {"enum": ["a", "b"]},
            {"type": "string", "format": "email"},
        ]
    ),
    st.integers(-9, 9).map(lambda low: {"type": "integer", "minimum": low, "maximum": low + 2}),
    st.integers(-9, 9).map(
        lambda low: {"type": "number", "exclusiveMinimum": low, "exclusiveMaximum": low + 1}
    ),
)
_schemas = st.recursive(
    _plain,
    lambda inner: st.one_of(
        st.builds(lambda one: {"type": "array", "items": one, "minItems": 1}, inner),
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner),
        st.dictionaries(st.sampled_from(["city", "query", "n", "date"]), inner, max_size=3).map(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": list(parts),
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(_schemas, st.text(max_size=60), st.booleans())
def test_any_text_gives_a_value_that_fits(schema: Any, text: str, sparing: bool) -> None:
    value = imagine(schema, text, sparing=sparing)
    assert fits(value, schema)
    assert imagine(schema, text, sparing=sparing) == value
