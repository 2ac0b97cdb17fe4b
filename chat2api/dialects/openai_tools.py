"""The tool fields of a chat completion request: `tools`, `tool_choice`, and their legacy forms."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator

from chat2api.chat.conversation import ToolChoice, ToolSpec
from chat2api.dialects.validation import Wire, check, choose, invalid, unsupported, wrong_type
from chat2api.errors import RequestError

Mode = Literal["auto", "none", "required"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")
_NO_PARAMETERS: dict[str, Any] = {"type": "object", "properties": {}}
_FUNCTION = {"function": "function"}


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


class _Tool(Wire):
    function: _Function


class _Named(Wire):
    name: ToolName


class _Choice(Wire):
    function: _Named


def parse_tools(tools: list[Any] | None, functions: list[Any] | None) -> tuple[ToolSpec, ...]:
    """Specs from `tools`, or from the legacy `functions` where there are none."""
    if tools:
        return tuple(_tool(item, f"tools[{index}]") for index, item in enumerate(tools))
    return tuple(
        _spec(check(_Function, item, f"functions[{index}]"))
        for index, item in enumerate(functions or ())
    )


def parse_choice(
    choice: object, specs: tuple[ToolSpec, ...], path: str = "tool_choice"
) -> ToolChoice:
    """Raises RequestError for a tool that is not there."""
    if choice is None:
        return ToolChoice()
    if isinstance(choice, str):
        if choice not in _MODES:
            raise unsupported(path, choice, list(_MODES))
        if choice == "required" and not specs:
            raise _without_tools(path)
        return ToolChoice(cast(Mode, choice))
    if not isinstance(choice, dict):
        raise wrong_type(path, "a string or an object", choice)
    return ToolChoice("required", (_chosen_name(choice, specs, path),))


def _chosen_name(choice: dict[str, Any], specs: tuple[ToolSpec, ...], path: str) -> str:
    if path == "function_call":
        name, at = check(_Named, choice, path).name, f"{path}.name"
    else:
        choose(_FUNCTION, "type", choice, path)
        name, at = check(_Choice, choice, path).function.name, f"{path}.function.name"
    if not specs:
        raise _without_tools(path)
    if name not in {spec.name for spec in specs}:
        raise invalid(at, f"the request has no tool named '{name}'")
    return name


def _without_tools(path: str) -> RequestError:
    return RequestError(f"Invalid '{path}': only allowed when 'tools' are given.", param=path)


def _tool(item: object, path: str) -> ToolSpec:
    choose(_FUNCTION, "type", item, path)
    return _spec(check(_Tool, item, path).function)


def _spec(function: _Function) -> ToolSpec:
    parameters = _NO_PARAMETERS if function.parameters is None else function.parameters
    return ToolSpec(function.name, function.description or "", parameters, bool(function.strict))
