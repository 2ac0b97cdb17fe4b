"""The tools of a Messages request, how they may be chosen, and the ids and inputs of their calls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator
from pydantic_core import from_json

from chat2api.chat.conversation import Builtin, ToolChoice, ToolSpec
from chat2api.dialects.openai_tools import check_parameters
from chat2api.dialects.validation import Id, Name, Wire, check, invalid
from chat2api.errors import RequestError, UpstreamBadResponse

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]")
_OURS, _THEIRS = "call_", "toolu_"
_WEB_SEARCH = "web_search_"
"""Before the date in the type of the web search that the upstream itself does."""


def _is_tool_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a tool's name is 1 to 128 letters, digits, '_' or '-'")
    return value


ToolName = Annotated[str, AfterValidator(_is_tool_name)]


class _Custom(Wire):
    name: ToolName
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None


class _Typed(Wire):
    """A tool whose meaning its type tells. Only web search is known to upstreams of ours."""

    type: Id
    name: Name | None = None


class _Choice(Wire):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None


@dataclass(frozen=True, slots=True)
class Tools:
    """`specs` are the caller's own; `typed` the names of others, `ignored` the types nobody here has."""

    specs: tuple[ToolSpec, ...] = ()
    builtins: tuple[Builtin, ...] = ()
    typed: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()


def parse_tools(raw: list[Any] | None, path: str = "tools") -> Tools:
    """Raises RequestError, also where two of the caller's tools have one name."""
    specs: dict[str, ToolSpec] = {}
    builtins: list[Builtin] = []
    typed: set[str] = set()
    ignored: list[str] = []
    for index, item in enumerate(raw or ()):
        here = f"{path}[{index}]"
        if isinstance(item, dict) and item.get("type") not in (None, "custom"):
            tool = check(_Typed, item, here)
            typed.add(tool.name or tool.type)
            if tool.type.startswith(_WEB_SEARCH):
                builtins.append(Builtin("web_search", _options(item)))
            else:
                ignored.append(f"tools.{tool.type}")
            continue
        spec = _spec(check(_Custom, item, here))
        check_parameters(spec.parameters, f"{here}.input_schema", strict=spec.strict)
        if spec.name in specs:
            raise invalid(f"{here}.name", f"there are two tools named '{spec.name}'")
        specs[spec.name] = spec
    return Tools(tuple(specs.values()), tuple(builtins), frozenset(typed), tuple(ignored))


def _spec(tool: _Custom) -> ToolSpec:
    return ToolSpec(tool.name, tool.description or "", tool.input_schema, bool(tool.strict))


def _options(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("type", "name")}


def parse_choice(
    raw: dict[str, Any] | None, tools: Tools, path: str = "tool_choice"
) -> tuple[ToolChoice, bool]:
    """The choice, and whether calls may come several at once. Raises RequestError.

    A tool that is not the caller's own cannot be made to be used: then the model is free to.
    """
    if raw is None:
        return ToolChoice(), True
    wire = check(_Choice, raw, path)
    parallel = not wire.disable_parallel_tool_use
    names = {spec.name for spec in tools.specs}
    match wire.type:
        case "none":
            return ToolChoice("none"), parallel
        case "any" if not (names or tools.typed):
            raise RequestError(
                f"Invalid '{path}': only allowed when 'tools' are given.", param=path
            )
        case "any" if names:
            return ToolChoice("required"), parallel
        case "tool" if wire.name in names:
            return ToolChoice("required", (wire.name,)), parallel
        case "tool" if wire.name not in tools.typed:
            raise invalid(f"{path}.name", f"the request has no tool named {_shown(wire.name)}")
        case _:
            return ToolChoice(), parallel


def _shown(name: str | None) -> str:
    return "like that" if name is None else repr(name[:80])


# --- calls


def tool_use_id(call_id: str) -> str:
    """Our id of a call as this API has them; `call_id_of` finds back to those that we made."""
    return _THEIRS + _NOT_IN_IDS.sub("_", call_id.removeprefix(_OURS).removeprefix(_THEIRS))


def call_id_of(tool_use: str) -> str:
    if tool_use.startswith(_THEIRS):
        return _OURS + tool_use.removeprefix(_THEIRS)
    return tool_use


def input_of(arguments: str, *, cut: bool = False) -> dict[str, Any]:
    """The arguments of a call as an object; `cut` ones as far as they came.

    Raises UpstreamBadResponse where they are none: a tool must not run on what nobody said.
    """
    if not arguments.strip():
        return {}
    try:
        found = from_json(arguments, allow_partial=cut)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    if cut:
        return {}
    raise UpstreamBadResponse("The model called a tool with arguments that are not a JSON object.")
