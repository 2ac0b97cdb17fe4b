"""Which tools a text asks for, and with which arguments."""

from __future__ import annotations

from typing import Any

from chat2api.simulator.mind.imagine import as_json, imagine
from chat2api.simulator.mind.muse import MOST, Muse, telling, words
from chat2api.simulator.mind.situation import Call, Situation, Tool

_ENOUGH = 2
"""From how many points on a text is taken to ask for a tool."""
_IN_NAME = 3
_MOST_CALLS = 5


def calls_for(situation: Situation, text: str) -> tuple[Call, ...]:
    """The calls that a text asks for; none when nothing fits and none is demanded."""
    if situation.named is not None:
        tool = situation.tool(situation.named)
        return () if tool is None else (_call(tool, text),)
    text = text[:MOST]
    muse = Muse(text)
    points = {tool.name: _points(tool, muse) for tool in situation.tools}
    best, *others = sorted(situation.tools, key=lambda tool: -points[tool.name])
    if points[best.name] < _ENOUGH:
        return (_call(best, text),) if situation.must_call else ()
    if not situation.parallel:
        return (_call(best, text),)
    if len(muse.places) > 1 and _place_property(best) is not None:
        return tuple(_call(best, text, place) for place in muse.places[:_MOST_CALLS])
    also = [tool for tool in others if points[tool.name] > _IN_NAME]
    return tuple(_call(tool, text) for tool in [best, *also][:_MOST_CALLS])


def _points(tool: Tool, muse: Muse) -> int:
    """How well a tool fits: words of its name and of its description, numbers for its numbers."""
    said = muse.keywords
    points = _IN_NAME * len(set(telling(tool.name)).intersection(said))
    points += len(set(telling(tool.description)).intersection(said))
    # Naming it outright beats everything.
    if tool.name in muse.text:
        points += 100
    properties = _properties(tool)
    kinds = [properties.get(name, {}).get("type") for name in _required(tool)]
    wanted = sum(kind in ("integer", "number") for kind in kinds)
    if wanted > 1 and wanted == len(kinds) and len(muse.numbers) >= wanted:
        points += 2
    return points


def _properties(tool: Tool) -> dict[str, Any]:
    properties = (tool.schema or {}).get("properties") or {}
    return {name: part for name, part in properties.items() if isinstance(part, dict)}


def _required(tool: Tool) -> list[str]:
    return list((tool.schema or {}).get("required") or ())


def _place_property(tool: Tool) -> str | None:
    about = {"location", "city", "place", "country"}
    fitting = (
        name
        for name, part in _properties(tool).items()
        if about & set(words(name)) and part.get("type") == "string" and "enum" not in part
    )
    return next(fitting, None)


def _call(tool: Tool, text: str, place: str | None = None) -> Call:
    if tool.schema is None:
        quotations = Muse(text).quotations
        return Call(tool.name, quotations[0] if quotations else text)
    arguments = imagine(tool.schema, text, sparing=True)
    if place is not None and isinstance(arguments, dict):
        arguments[_place_property(tool)] = place
    return Call(tool.name, as_json(arguments))
