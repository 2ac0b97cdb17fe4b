"""Makes up a value that fits a JSON Schema, more or less: something to show the form with. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DEEPEST = 8
_MOST_OPTIONAL = 2


def example(schema: Any, depth: int = 0) -> Any:
    """What the schema offers itself (default, example, enum) comes first. Any input will do."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "..."
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return choices[0]
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key)
        if isinstance(branches, list) and branches and "properties" not in schema:
            return example(branches[0], depth + 1)
    return _by_type(schema, depth)


def _by_type(schema: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    match kind:
        case "integer" | "number":
            least = schema.get("minimum", 1)
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            return [example(schema["items"], depth + 1)] if "items" in schema else []
        case "object":
            return _object(schema, depth)
        case _:
            return _object(schema, depth) if "properties" in schema else "..."


def _object(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """With all that is required; where nothing is, with the first few properties."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    required = schema.get("required")
    names = (
        [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    )
    shown = names or list(properties)[:_MOST_OPTIONAL]
    return {name: example(properties.get(name), depth + 1) for name in shown}
