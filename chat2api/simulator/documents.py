"""Edits of JSON documents by pointer: what the server keeps of a message while it is generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["add", "replace", "append", "truncate", "remove"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One edit at a JSON pointer below the root document."""

    path: str
    kind: Kind
    value: Any = None

    def as_json(self) -> Json:
        spelled: Json = {"p": self.path, "o": self.kind}
        if self.kind != "remove":
            spelled["v"] = self.value
        return spelled


def _segments(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _step(node: Any, key: str) -> Any:
    return node[int(key)] if isinstance(node, list) else node[key]


def apply(document: Json, operation: Operation) -> None:
    """Carries out an edit in place. Raises KeyError, IndexError or TypeError when it cannot:
    scenarios are ours, so a bad path is a mistake to see."""
    *parents, last = _segments(operation.path)
    node: Any = document
    for key in parents:
        node = _step(node, key)
    if isinstance(node, list):
        _edit_list(node, last, operation)
    elif isinstance(node, dict):
        _edit_object(node, last, operation)
    else:
        raise TypeError(f"{operation.path} leads into a {type(node).__name__}")


def _edit_list(node: list[Any], key: str, operation: Operation) -> None:
    if operation.kind == "add":
        node.insert(len(node) if key == "-" else int(key), operation.value)
    elif operation.kind == "remove":
        del node[int(key)]
    else:
        node[int(key)] = _changed(node[int(key)], operation)


def _edit_object(node: Json, key: str, operation: Operation) -> None:
    if operation.kind == "add":
        node[key] = operation.value
    elif operation.kind == "remove":
        del node[key]
    else:
        node[key] = _changed(node.get(key), operation)


def _changed(old: Any, operation: Operation) -> Any:
    if operation.kind == "replace" or old is None:
        return operation.value
    if operation.kind == "truncate":
        return old[: operation.value]
    if isinstance(old, list):
        return (
            [*old, *operation.value]
            if isinstance(operation.value, list)
            else [*old, operation.value]
        )
    if isinstance(old, dict):
        return {**old, **operation.value}
    return old + operation.value
