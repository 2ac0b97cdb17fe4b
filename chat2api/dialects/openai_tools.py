"""The tool fields of a chat completion request: `tools`, `tool_choice`, and their legacy forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Field

from chat2api.chat.conversation import Builtin, ToolChoice, ToolSpec
from chat2api.dialects.validation import (
    Wire,
    check,
    invalid,
    missing,
    tag_of,
    unsupported,
    wrong_type,
)
from chat2api.errors import RequestError

Mode = Literal["auto", "none", "required"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")
_LEGACY_MODES = ("none", "auto")
_OURS = ("function", "custom")
_SEARCH = "web_search"
"""The front of every spelling of the search tool (`web_search_preview_2025_03_11`)."""


def _is_tool_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a tool's name is 1 to 64 letters, digits, '_' or '-'")
    return value


ToolName = Annotated[str, AfterValidator(_is_tool_name)]


class _Function(Wire):
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Grammar(Wire):
    syntax: Literal["lark", "regex"]
    definition: str


class _Custom(Wire):
    name: ToolName
    description: str | None = None
    format: dict[str, Any] | None = None


class _Named(Wire):
    name: ToolName


class _Allowed(Wire):
    mode: Literal["auto", "required"] = "auto"
    tools: Annotated[list[Any], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Toolset:
    """What a request brings along. `ignored` are the paths of tools that only OpenAI could run.

    `types` are the types of all of them, as the caller spelled them.
    """

    specs: tuple[ToolSpec, ...] = ()
    builtins: tuple[Builtin, ...] = ()
    ignored: tuple[str, ...] = ()
    types: frozenset[str] = frozenset()


# --- tools


def parse_tools(tools: list[Any] | None, functions: list[Any] | None) -> Toolset:
    """From `tools`, or from the legacy `functions` where there are none."""
    if not tools:
        legacy = [
            _function(item, f"functions[{index}]") for index, item in enumerate(functions or ())
        ]
        return Toolset(_unlike(legacy), types=frozenset(("function",)) if legacy else frozenset())
    named: list[tuple[ToolSpec, str]] = []
    builtins: list[Builtin] = []
    ignored: list[str] = []
    types: set[str] = set()
    for index, item in enumerate(tools):
        path = f"tools[{index}]"
        kind = tag_of("type", item, path)
        types.add(kind)
        if kind in _OURS:
            read = _function if kind == "function" else _custom
            named.append(read(*_inner(kind, item, path)))
        elif kind.startswith(_SEARCH):
            options = {name: value for name, value in item.items() if name != "type"}
            builtins.append(Builtin("web_search", options))
        else:
            ignored.append(path)
    return Toolset(_unlike(named), tuple(builtins[:1]), tuple(ignored), frozenset(types))


def check_parameters(parameters: dict[str, Any], path: str, *, strict: bool = False) -> None:
    """Refuse what cannot describe an object of arguments; the rest of a schema is not looked at."""
    kind = parameters.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise _bad_schema(path, "expected a JSON Schema of type 'object'")
    properties = parameters.get("properties", {})
    if not isinstance(properties, dict):
        raise _bad_schema(path, "'properties' must be an object")
    required = parameters.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise _bad_schema(path, "'required' must be an array of strings")
    if strict and not properties.keys() >= set(required):
        raise _bad_schema(path, "'required' names a property that 'properties' does not declare")


def _bad_schema(path: str, reason: str) -> RequestError:
    return RequestError(
        f"Invalid '{path}': {reason}.", param=path, code="invalid_function_parameters"
    )


def _inner(kind: str, item: dict[str, Any], path: str) -> tuple[Any, str]:
    """The fields of a tool and their path. Some clients send them flat, as the Responses API has them."""
    if kind in item:
        return item[kind], f"{path}.{kind}"
    if "name" not in item:
        raise missing(f"{path}.{kind}")
    return item, path


def _function(fields: object, path: str) -> tuple[ToolSpec, str]:
    function = check(_Function, fields, path)
    parameters = function.parameters
    if parameters is None:
        parameters = {"type": "object", "properties": {}}
    strict = bool(function.strict)
    check_parameters(parameters, f"{path}.parameters", strict=strict)
    return ToolSpec(function.name, function.description or "", parameters, strict), path


def _custom(fields: object, path: str) -> tuple[ToolSpec, str]:
    tool = check(_Custom, fields, path)
    described = None if tool.format is None else _format(tool.format, f"{path}.format")
    spec = ToolSpec(tool.name, tool.description or "", {}, custom=True, format=described)
    return spec, path


def _format(value: dict[str, Any], path: str) -> dict[str, Any]:
    """Flat, as the Responses API has it; a chat request puts the grammar into an object of its own."""
    kind = tag_of("type", value, path)
    if kind == "text":
        return {"type": "text"}
    if kind != "grammar":
        raise unsupported(f"{path}.type", kind, ["text", "grammar"])
    nested = "grammar" in value
    grammar = check(
        _Grammar, value["grammar"] if nested else value, f"{path}.grammar" if nested else path
    )
    return {"type": "grammar", "syntax": grammar.syntax, "definition": grammar.definition}


def _unlike(named: Iterable[tuple[ToolSpec, str]]) -> tuple[ToolSpec, ...]:
    """The specs; no two may share a name, or nobody could tell which is called."""
    specs: dict[str, ToolSpec] = {}
    for spec, path in named:
        if spec.name in specs:
            raise invalid(f"{path}.name", f"another tool is named '{spec.name}' too")
        specs[spec.name] = spec
    return tuple(specs.values())


# --- the choice among them


def parse_choice(choice: object, toolset: Toolset, path: str = "tool_choice") -> ToolChoice:
    """Raises RequestError for a tool that is not there.

    A choice of tools that are not ours to call leaves it to the model: nobody could hold it to that.
    """
    if choice is None:
        return ToolChoice()
    if isinstance(choice, str):
        return _mode(choice, toolset, path)
    if not isinstance(choice, dict):
        raise wrong_type(path, "a string or an object", choice)
    if path == "function_call":
        return ToolChoice("required", (_known_name(choice, toolset, path),))
    kind = tag_of("type", choice, path)
    if kind == "allowed_tools":
        return _allowed(choice, toolset, path)
    name = _chosen(kind, choice, toolset, path)
    return ToolChoice() if name is None else ToolChoice("required", (name,))


def _mode(mode: str, toolset: Toolset, path: str) -> ToolChoice:
    modes = _LEGACY_MODES if path == "function_call" else _MODES
    if mode not in modes:
        raise unsupported(path, mode, list(modes))
    if mode == "required" and not toolset.specs:
        _require_tools(toolset, path)
        return ToolChoice()
    return ToolChoice(cast(Mode, mode))


def _allowed(choice: dict[str, Any], toolset: Toolset, path: str) -> ToolChoice:
    fields: Any = choice
    if "allowed_tools" in choice:
        fields, path = choice["allowed_tools"], f"{path}.allowed_tools"
    allowed = check(_Allowed, fields, path)
    names: dict[str, None] = {}
    for index, item in enumerate(allowed.tools):
        here = f"{path}.tools[{index}]"
        name = _chosen(tag_of("type", item, here), item, toolset, here)
        if name is not None:
            names[name] = None
    return ToolChoice(allowed.mode, tuple(names)) if names else ToolChoice("none")


def _chosen(kind: str, choice: dict[str, Any], toolset: Toolset, path: str) -> str | None:
    """The name of the tool meant by a choice of this type; None for one that is not ours to call."""
    if kind in _OURS:
        fields, at = _inner(kind, choice, path)
        return _known_name(fields, toolset, at)
    if kind not in toolset.types:
        known = (*_OURS, "allowed_tools") if path == "tool_choice" else _OURS
        raise unsupported(f"{path}.type", kind, list(known))
    return None


def _known_name(fields: object, toolset: Toolset, path: str) -> str:
    name = check(_Named, fields, path).name
    _require_tools(toolset, path)
    if name not in {spec.name for spec in toolset.specs}:
        raise invalid(f"{path}.name", f"the request has no tool named '{name}'")
    return name


def _require_tools(toolset: Toolset, path: str) -> None:
    if not toolset.types:
        field = path.partition(".")[0]
        raise RequestError(f"Invalid '{field}': only allowed when 'tools' are given.", param=field)
