"""The tools of a request and the choice among them: checked as the backend does. Raises Refusal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from chat2api.simulator.codex.catalog import Model
from chat2api.simulator.codex.wrong import gate, invalid, missing
from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Tool

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOSTED = ("web_search", "image_generation")
_OF_THE_CLIENT = ("local_shell", "tool_search")


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be called. `spaces` are the namespaces of tools that have one; `hosted` are done by
    the backend itself, each with its options."""

    tools: tuple[Tool, ...]
    spaces: dict[str, str]
    hosted: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Choice:
    """`only` None: any of them."""

    mode: str
    only: frozenset[str] | None = None


def offered(tools: Any, model: Model, *, paid: bool) -> Offer:
    """The tools of a request."""
    if not isinstance(tools, list):
        raise invalid("Invalid type for 'tools': expected a list.", "tools", "invalid_type")
    found: list[Tool] = []
    offer = Offer((), {}, {})
    for at, tool in enumerate(tools):
        where = f"tools[{at}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind == "namespace":
            for inside in _namespace(tool, where):
                offer.spaces[inside.name] = tool["name"]
                found.append(inside)
        elif kind in _HOSTED:
            _check_hosted(kind, model, paid=paid)
            offer.hosted[kind] = tool
        elif kind not in _OF_THE_CLIENT:
            found.append(_callable(tool, where))
    return Offer(tuple(found), offer.spaces, offer.hosted)


def _check_hosted(kind: str, model: Model, *, paid: bool) -> None:
    if kind == "image_generation" and not (paid and model.sees):
        raise gate(f"Tool 'image_generation' is not supported with {model.slug}.")


def _namespace(tool: Json, where: str) -> Iterator[Tool]:
    inside = tool.get("tools")
    if not isinstance(tool.get("name"), str) or not isinstance(inside, list):
        raise missing(f"{where}.name" if isinstance(inside, list) else f"{where}.tools")
    for at, one in enumerate(inside):
        yield _callable(one, f"{where}.tools[{at}]")


def _callable(tool: Any, where: str) -> Tool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind not in ("function", "custom"):
        raise gate(f"Unsupported tool type: {kind}")
    name = tool.get("name")
    if not isinstance(name, str):
        raise missing(f"{where}.name")
    if not _NAME.fullmatch(name):
        text = f"Invalid '{where}.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
        raise invalid(text, f"{where}.name")
    about = str(tool.get("description") or "")
    if kind == "custom":
        _check_format(tool.get("format"), f"{where}.format")
        return Tool(name, about, None)
    schema = tool.get("parameters")
    _check_schema(schema, name, where, strict=tool.get("strict"))
    return Tool(name, about, schema)


def _check_format(form: Any, where: str) -> None:
    match form:
        case None | {"type": "text"}:
            return
        case {"type": "grammar", "syntax": "lark" | "regex", "definition": str()}:
            return
    raise invalid("Invalid value.", where)


def _check_schema(schema: Any, name: str, where: str, *, strict: Any) -> None:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else None
        why = f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    elif strict is not False and (lacking := optional(schema)):
        # Not only with `strict: true`: who says nothing is taken to mean it.
        why = "In context=(), 'required' is required to be supplied and to be an array including "
        why += f"every key in properties. Missing '{lacking[0]}'."
    elif strict is True and schema.get("additionalProperties") is not False:
        why = "In context=(), 'additionalProperties' is required to be supplied and to be false."
    else:
        return
    text = f"Invalid schema for function '{name}': {why}"
    raise invalid(text, f"{where}.parameters", "invalid_function_parameters")


def optional(schema: Json) -> list[str]:
    """The properties that need not be given."""
    required = schema.get("required") or ()
    return [name for name in schema.get("properties") or () if name not in required]


# --- the choice


def chosen(choice: Any, offer: Offer) -> Choice:
    """The choice of a request."""
    if choice is None or choice in ("auto", "none"):
        return Choice(choice or "auto")
    if choice == "required":
        if not offer.tools and not offer.hosted:
            text = "Tool choice 'required' must be specified with 'tools' parameter."
            raise invalid(text, "tool_choice")
        return Choice("required")
    match choice:
        case {"type": "function" | "custom", "name": str(name)}:
            return Choice("required", _among((name,), offer, choice["type"]))
        case {"type": "allowed_tools", "mode": "auto" | "required", "tools": [*parts]}:
            names = [str(part.get("name")) for part in parts if isinstance(part, dict)]
            return Choice(choice["mode"], _among(names, offer, "allowed_tools"))
        case {"type": str(kind)}:
            raise _not_found(kind)
    raise invalid("Invalid value for 'tool_choice'.", "tool_choice")


def _among(names: Iterable[str], offer: Offer, kind: str) -> frozenset[str]:
    only = frozenset(names)
    if not only or not only <= {tool.name for tool in offer.tools}:
        raise _not_found(kind)
    return only


def _not_found(kind: str) -> Exception:
    return invalid(f"Tool choice '{kind}' not found in 'tools' parameter.", "tool_choice")
