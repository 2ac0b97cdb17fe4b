"""Makes a value that fits a JSON Schema, out of the words of a text. The same text gives the same value."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from chat2api.simulator.documents import Json
from chat2api.simulator.mind.muse import Muse, words
from chat2api.simulator.mind.patterns import example

_WEEKDAY = re.compile(r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b", re.IGNORECASE)
_DEEP = 6
_MOST_OF_ALL = 10_000
"""Whatever a schema asks for."""
_MOST_ITEMS = 8
_FORMATS = {
    "date-time": "2026-01-31T09:30:00Z",
    "date": "2026-01-31",
    "time": "09:30:00Z",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


def imagine(schema: Json, text: str, *, sparing: bool = False) -> Any:
    """A value for `schema`. `sparing` leaves out optional properties that the text says nothing of,
    as a model does with arguments; else all properties are there."""
    try:
        return _Imagination(schema, Muse(text), sparing).value(schema, "", 0)
    except RecursionError:
        return {}  # a schema that is nothing but itself


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Imagination:
    def __init__(self, root: Json, muse: Muse, sparing: bool) -> None:
        self.root = root
        self.muse = muse
        self.sparing = sparing

    def value(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, dict):
            return self.muse.words_for(name)
        if depth > 2 * _DEEP:
            return None  # a schema that demands itself has no end
        schema = self._resolved(schema)
        for fixed in ("const", "default"):
            if fixed in schema:
                return schema[fixed]
        if choices := schema.get("enum"):
            return next((one for one in choices if self.muse.mentions(str(one))), choices[0])
        match _type_of(schema, depth):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return int(self._number(schema, whole=True))
            case "number":
                number = self._number(schema, whole=False)
                return int(number) if number.is_integer() else number
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _resolved(self, schema: Json) -> Json:
        """The schema with references, `allOf` and a choice of alternatives settled."""
        for _ in range(20):
            if isinstance(reference := schema.get("$ref"), str):
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _joined(self._pointed(reference), rest)
            elif parts := schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in parts:
                    rest = _joined(self._resolved(part), rest)
                schema = rest
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                skipped = ("anyOf", "oneOf")
                rest = {key: value for key, value in schema.items() if key not in skipped}
                schema = _joined(self._alternative(choices), rest)
            else:
                break
        return schema

    def _alternative(self, choices: list[Any]) -> Json:
        """The first one that is not null; among objects told apart by a word, the one mentioned."""
        real = [one for one in choices if isinstance(one, dict) and one.get("type") != "null"]
        for one in real:
            properties = self._resolved(one).get("properties") or {}
            fixed = [part.get("const") for part in properties.values() if isinstance(part, dict)]
            if any(isinstance(word, str) and self.muse.mentions(word) for word in fixed):
                return one
        return real[0] if real else {"type": "null"}

    def _pointed(self, reference: str) -> Json:
        node: Any = self.root
        for key in reference.removeprefix("#").strip("/").split("/"):
            if key:
                node = node.get(key.replace("~1", "/").replace("~0", "~"), {})
        return node if isinstance(node, dict) else {}

    def _object(self, schema: Json, depth: int) -> Json:
        required = schema.get("required") or ()
        properties = schema.get("properties") or {}
        made: Json = {}
        for name, part in properties.items():
            if depth > _DEEP and _may_be_null(part):
                made[name] = None
            elif name in required or (depth < _DEEP and self._is_wanted(name, part)):
                made[name] = self.value(part, name, depth + 1)
        for name in required:
            if name not in made:
                made[name] = self.value(schema.get("additionalProperties"), name, depth + 1)
        if not properties and not made and not self.sparing:
            extra = schema.get("additionalProperties", {})
            made["answer"] = self.value(extra, "text", depth + 1)
            if extra is False:
                made.clear()
        return made

    def _is_wanted(self, name: str, part: Any) -> bool:
        """Whether an optional property is given."""
        if not self.sparing:
            return True
        part = self._resolved(part) if isinstance(part, dict) else {}
        if any(isinstance(one, str) and self.muse.mentions(one) for one in part.get("enum") or ()):
            return True
        return self.muse.mentions(name) and part.get("type") in ("integer", "number", "boolean")

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        made = [self.value(one, name, depth + 1) for one in schema.get("prefixItems") or ()]
        items = schema.get("items", {})
        if items is False:
            return made
        least, most = schema.get("minItems", 0), schema.get("maxItems", _MOST_ITEMS)
        self.muse.rewind()
        count = min(max(least, self._count(items, depth), len(made)), max(least, most))
        if depth > _DEEP:
            count = least
        count = min(count, _MOST_OF_ALL)
        for number in range(len(made), count):
            one = self.value(items, name, depth + 1)
            if schema.get("uniqueItems") and one in made:
                one = self._another(items, made, one, number)
            made.append(one)
        return made

    def _count(self, items: Any, depth: int) -> int:
        """How many items the text has."""
        items = self._resolved(items) if isinstance(items, dict) else {}
        if choices := items.get("enum"):
            return sum(self.muse.mentions(str(one)) for one in choices) or 1
        muse, kind = self.muse, _type_of(items, depth)
        found: list[Any] = []
        if kind == "string":
            found = muse.quotations or muse.places or muse.names
        elif kind in ("integer", "number"):
            found = list(muse.numbers)
        return min(len(found) or 1, _MOST_ITEMS)

    def _another(self, items: Any, made: list[Any], one: Any, number: int) -> Any:
        """A value that is not there yet."""
        choices = self._resolved(items).get("enum") if isinstance(items, dict) else None
        if choices:
            mentioned = [word for word in choices if self.muse.mentions(str(word))]
            return next((word for word in [*mentioned, *choices] if word not in made), one)
        if isinstance(one, bool):
            return not one
        if isinstance(one, int | float):
            return max(part for part in made if isinstance(part, int | float)) + 1
        return f"{one} {number + 1}" if isinstance(one, str) else one

    def _number(self, schema: Json, *, whole: bool) -> float:
        low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        # In the older spelling these two are flags beside the bounds.
        above = low if above is True else -math.inf if above is None or above is False else above
        below = high if below is True else math.inf if below is None or below is False else below
        least, most = max(low, above), min(high, below)
        step = schema.get("multipleOf") or (1 if whole else 0)
        little = step or min(1, (most - least) / 2)
        found = self.muse.number()
        number = min(max(1.0 if found is None else found, least), most)
        if step:
            number = math.floor(number / step) * step
            number = number if number >= least else number + step
        if number == above:
            number += little
        elif number == below:
            number -= little
        return float(number)

    def _string(self, schema: Json, name: str) -> str:
        pattern = schema.get("pattern")
        if isinstance(pattern, str):
            return example(pattern, [*self.muse.quotations, *self.muse.text.split()])
        if isinstance(form := schema.get("format"), str) and form in _FORMATS:
            return _FORMATS[form]
        if set(words(name)) & {"date", "day"}:
            found = _WEEKDAY.search(self.muse.text)
            return found[0] if found else _FORMATS["date"]
        text = self.muse.words_for(name)
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        while len(text) < min(least, _MOST_OF_ALL):
            text = f"{text} {text}" if text else "x"
        return text if most is None else text[:most]


def _joined(one: Json, other: Json) -> Json:
    """Both schemas at once, as far as it matters here."""
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return both


def _type_of(schema: Json, depth: int) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        if depth > _DEEP and "null" in kind:
            return "null"
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _may_be_null(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    return any(_may_be_null(one) for one in part.get("anyOf") or part.get("oneOf") or ())
