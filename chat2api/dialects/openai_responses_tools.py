"""The tools of a Responses request. Agents bring kinds nobody else knows: every one is accepted.

Tools stand flat in this API. A `namespace` holds tools of its own; those are listed among the others by
their plain names, and by `namespace__name` where the plain one is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from chat2api.chat.conversation import Builtin, ToolSpec
from chat2api.dialects.openai_tools import Toolset, check_parameters
from chat2api.dialects.validation import Wire, check, invalid, tag_of, unsupported

TOOLS_LIMIT = 1_024

_CALLABLE = ("function", "custom")
_SEARCH = "web_search"
"""The front of every spelling of the search tool (`web_search_preview_2025_03_11`)."""

ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,128}\z")]


class _Function(Wire):
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Custom(Wire):
    name: ToolName
    description: str | None = None
    format: dict[str, Any] | None = None


class _Namespace(Wire):
    name: ToolName
    tools: Annotated[list[Any], Field(max_length=TOOLS_LIMIT)]


@dataclass(frozen=True, slots=True)
class _Listed:
    """A tool where it stands in the request."""

    tool: dict[str, Any]
    path: str
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Where the caller keeps a tool: what it must be called by in an answer."""

    name: str
    namespace: str | None


def read_tools(tools: list[Any] | None) -> Toolset:
    """Raises RequestError for a tool that is malformed or has the name of another."""
    specs: list[ToolSpec] = []
    builtins: dict[str, Builtin] = {}
    ignored: list[str] = []
    types: set[str] = set()
    names = _Names()
    for listed in _flat(tools or ()):
        item, path, kind = listed.tool, listed.path, listed.tool["type"]
        types.add(kind)
        if kind in _CALLABLE:
            spec = _function(item, path) if kind == "function" else _custom(item, path)
            specs.append(names.settle(spec, listed))
        elif kind.startswith(_SEARCH):
            builtins.setdefault(_SEARCH, Builtin("web_search", _options(item)))
        elif kind == "image_generation":
            builtins.setdefault(kind, Builtin("image_generation", _options(item)))
        else:
            ignored.append(path)
    return Toolset(tuple(specs), tuple(builtins.values()), tuple(ignored), frozenset(types))


def tool_homes(tools: Sequence[Mapping[str, Any]]) -> dict[str, Home]:
    """Of the tools in namespaces (of a request that was read), by the names they are listed under."""
    if not any(tool["type"] == "namespace" for tool in tools):
        return {}
    names = _Names()
    listed = [one for one in _flat(tools) if one.tool["type"] in _CALLABLE]
    named = [(names.take(one.tool["name"], one), one) for one in listed]
    return {
        name: Home(one.tool["name"], one.namespace)
        for name, one in named
        if one.namespace is not None
    }


def told_tools(tools: list[Any] | None) -> list[dict[str, Any]]:
    """The tools as the `response` object repeats them: functions with every documented field."""
    return [_told(tool) for tool in tools or ()]


def _told(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function":
        return tool
    return {
        "type": "function",
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        "strict": bool(tool.get("strict")),
    }


def _flat(tools: Iterable[Any]) -> Iterator[_Listed]:
    """All tools, those of namespaces last, so that plain names belong to plain tools."""
    nested: list[_Listed] = []
    for index, item in enumerate(tools):
        path = f"tools[{index}]"
        if tag_of("type", item, path) == "namespace":
            space = check(_Namespace, item, path)
            for place, tool in enumerate(space.tools):
                here = f"{path}.tools[{place}]"
                tag_of("type", tool, here)
                nested.append(_Listed(tool, here, space.name))
        else:
            yield _Listed(item, path)
    yield from nested


class _Names:
    """The names given away so far."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def settle(self, spec: ToolSpec, listed: _Listed) -> ToolSpec:
        name = self.take(spec.name, listed)
        if name == spec.name:
            return spec
        return ToolSpec(
            name, spec.description, spec.parameters, spec.strict, spec.custom, spec.format
        )

    def take(self, name: str, listed: _Listed) -> str:
        if name in self._taken and listed.namespace is not None:
            name = f"{listed.namespace}__{name}"
        if name in self._taken:
            raise invalid(f"{listed.path}.name", f"another tool is named '{name}' too")
        self._taken.add(name)
        return name


def _function(item: dict[str, Any], path: str) -> ToolSpec:
    function = check(_Function, item, path)
    parameters = function.parameters
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    strict = bool(function.strict)
    check_parameters(parameters, f"{path}.parameters", strict=strict)
    return ToolSpec(function.name, function.description or "", parameters, strict)


def _custom(item: dict[str, Any], path: str) -> ToolSpec:
    tool = check(_Custom, item, path)
    if tool.format is not None:
        kind = tag_of("type", tool.format, f"{path}.format")
        if kind not in ("text", "grammar"):
            raise unsupported(f"{path}.format.type", kind, ["text", "grammar"])
    return ToolSpec(tool.name, tool.description or "", {}, custom=True, format=tool.format)


def _options(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "type"}
