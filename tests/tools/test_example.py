"""Values made up for schemas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.json_schema import problems
from chat2api.tools.example import example


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "..."),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": ["null", "number"]}, 1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"enum": ["c", "f"]}, "c"),
        ({"const": 5}, 5),
        ({"default": "x", "enum": ["y", "x"]}, "x"),
        ({"examples": ["Oslo"], "type": "string"}, "Oslo"),
        ({"type": "array"}, []),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 1),
        ({"type": "object"}, {}),
        (
            {"properties": {"a": {"type": "integer"}, "b": {}, "c": {}}, "required": ["c", "a"]},
            {"c": "...", "a": 1},
        ),
        ({"properties": {"a": {}, "b": {}, "c": {}}}, {"a": "...", "b": "..."}),
        ({}, "..."),
    ],
)
def test_examples_fit(schema: dict[str, Any], value: Any) -> None:
    assert example(schema) == value
    assert problems(schema, value) == []


def test_a_schema_that_is_within_itself_ends() -> None:
    endless: dict[str, Any] = {"type": "array"}
    endless["items"] = endless

    assert str(example(endless)).count("[") < 20


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "properties", "required", "items", "anyOf", "enum"]), inner
            )
        ),
        max_leaves=10,
    )
)
def test_any_nonsense_has_an_example(schema: Any) -> None:
    example(schema)
