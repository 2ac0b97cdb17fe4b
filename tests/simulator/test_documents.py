"""Edits by pointer."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.documents import Operation, apply


@pytest.mark.parametrize(
    ("path", "kind", "value", "expected"),
    [
        ("/a", "replace", 2, {"a": 2, "l": [1, 2], "o": {"x": 1}, "s": "abc"}),
        ("/new", "add", 2, {"a": 1, "l": [1, 2], "o": {"x": 1}, "s": "abc", "new": 2}),
        ("/new", "append", "x", {"a": 1, "l": [1, 2], "o": {"x": 1}, "s": "abc", "new": "x"}),
        ("/s", "append", "d", {"a": 1, "l": [1, 2], "o": {"x": 1}, "s": "abcd"}),
        ("/s", "truncate", 1, {"a": 1, "l": [1, 2], "o": {"x": 1}, "s": "a"}),
        ("/l", "append", [3, 4], {"a": 1, "l": [1, 2, 3, 4], "o": {"x": 1}, "s": "abc"}),
        ("/l", "append", 3, {"a": 1, "l": [1, 2, 3], "o": {"x": 1}, "s": "abc"}),
        ("/l", "truncate", 1, {"a": 1, "l": [1], "o": {"x": 1}, "s": "abc"}),
        ("/l/0", "add", 0, {"a": 1, "l": [0, 1, 2], "o": {"x": 1}, "s": "abc"}),
        ("/l/-", "add", 3, {"a": 1, "l": [1, 2, 3], "o": {"x": 1}, "s": "abc"}),
        ("/l/1", "replace", 9, {"a": 1, "l": [1, 9], "o": {"x": 1}, "s": "abc"}),
        ("/l/0", "remove", None, {"a": 1, "l": [2], "o": {"x": 1}, "s": "abc"}),
        ("/o", "append", {"y": 2}, {"a": 1, "l": [1, 2], "o": {"x": 1, "y": 2}, "s": "abc"}),
        ("/o/x", "remove", None, {"a": 1, "l": [1, 2], "o": {}, "s": "abc"}),
        ("/o/a~1b~0c", "add", 1, {"a": 1, "l": [1, 2], "o": {"x": 1, "a/b~c": 1}, "s": "abc"}),
    ],
)
def test_edits(path: str, kind: Any, value: Any, expected: dict[str, Any]) -> None:
    document = {"a": 1, "l": [1, 2], "o": {"x": 1}, "s": "abc"}
    apply(document, Operation(path, kind, value))
    assert document == expected


@pytest.mark.parametrize("path", ["/nowhere/x", "/l/7", "/a/b"])
def test_a_path_that_leads_nowhere_is_a_mistake(path: str) -> None:
    with pytest.raises((KeyError, IndexError, TypeError)):
        apply({"a": 1, "l": []}, Operation(path, "replace", 1))


def test_an_operation_as_json() -> None:
    assert Operation("/a", "remove").as_json() == {"p": "/a", "o": "remove"}
    assert Operation("/a", "add", None).as_json() == {"p": "/a", "o": "add", "v": None}
