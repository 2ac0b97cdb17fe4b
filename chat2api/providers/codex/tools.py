"""Tools in the words of the Codex backend, and the names it can take. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chat2api.chat.conversation import Builtin, Conversation, ToolCall, ToolSpec

Json = dict[str, Any]

_LONGEST_NAME = 64
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST_NAME}}}")
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_HASH_LENGTH = 8
_MCP = "mcp__"

_SEARCH_OPTIONS = (
    "external_web_access",
    "filters",
    "search_context_size",
    "search_content_types",
)
_PICTURE_OPTIONS = (
    "action",
    "background",
    "input_fidelity",
    "input_image_mask",
    "model",
    "moderation",
    "output_compression",
    "output_format",
    "quality",
    "size",
)


class ToolNames:
    """The caller's names as the backend takes them, and back. One conversation's."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = list(dict.fromkeys(names))
        self._sent = {name: name for name in wanted if _NAME.fullmatch(name)}
        self._meant = dict(self._sent)
        for name in wanted:
            if name not in self._sent:
                short = self._free(name)
                self._sent[name], self._meant[short] = short, name

    def sent(self, name: str) -> str:
        """What the backend calls it."""
        return self._sent.get(name) or short_name(name)

    @property
    def meant(self) -> Mapping[str, str]:
        """The caller's name for each that is sent."""
        return self._meant

    def _free(self, name: str) -> str:
        """A short name that no other tool has; by the name alone, so that it stays over the turns."""
        salt = 0
        while (short := short_name(name, salt)) in self._meant:
            salt += 1
        return short


def tool_names(conversation: Conversation) -> ToolNames:
    """Of the tools, and of those that were called earlier."""
    called = (
        part.name
        for message in conversation.messages
        for part in message.parts
        if isinstance(part, ToolCall)
    )
    return ToolNames([*(tool.name for tool in conversation.tools), *called])


def short_name(name: str, salt: int = 0) -> str:
    """A name of at most 64 letters, digits, `_` and `-`: the beginning of an MCP tool's, the end, a hash."""
    digest = hashlib.sha256(f"{name}\0{salt or ''}".encode()).hexdigest()[:_HASH_LENGTH]
    plain = _ODD.sub("_", name)
    front = _MCP if plain.startswith(_MCP) else ""
    room = _LONGEST_NAME - len(front) - 1 - _HASH_LENGTH
    return f"{front}{plain.removeprefix(front)[-room:]}_{digest}"


def tool_fields(conversation: Conversation, names: ToolNames) -> Json:
    """`tools`, `tool_choice`, `parallel_tool_calls`; nothing where there are no tools."""
    choice = conversation.tool_choice
    # Of allowed tools only those are sent. All are where none may be called: the model has called them.
    allowed = conversation.tools if choice.mode == "none" else choice.allowed(conversation.tools)
    tools = [_tool(tool, names) for tool in allowed]
    if not choice.only:
        tools += [_builtin(builtin) for builtin in conversation.builtins]
    if not tools:
        return {}
    wanted: Any = (
        choice.mode if allowed else "auto"
    )  # what is the upstream's own cannot be demanded
    if choice.mode == "required" and len(choice.only) == 1 and len(allowed) == 1:
        kind = "custom" if allowed[0].custom else "function"
        wanted = {"type": kind, "name": names.sent(allowed[0].name)}
    return {
        "tools": tools,
        "tool_choice": wanted,
        "parallel_tool_calls": conversation.parallel_tool_calls,
    }


def _tool(tool: ToolSpec, names: ToolNames) -> Json:
    named: Json = {"name": names.sent(tool.name)}
    if tool.description:
        named["description"] = tool.description
    if tool.custom:
        form = {} if tool.format is None else {"format": tool.format}
        return {"type": "custom", **named, **form}
    # Said also where it is not meant: the backend takes silence for strictness.
    return {
        "type": "function",
        **named,
        "parameters": _parameters(tool.parameters),
        "strict": tool.strict,
    }


def _parameters(schema: Json) -> Json:
    if schema.get("type", "object") != "object" or "properties" in schema:
        return schema
    return {"type": "object", "properties": {}, **schema}


def _builtin(builtin: Builtin) -> Json:
    options = builtin.options
    if builtin.kind == "web_search":
        location = _location(options.get("user_location"))
        return {
            "type": "web_search",
            **_chosen(options, _SEARCH_OPTIONS),
            **({"user_location": location} if location else {}),
        }
    return {
        "type": "image_generation",
        "output_format": "png",
        **_chosen(options, _PICTURE_OPTIONS),
    }


def _location(given: Any) -> Json | None:
    """Chat completions put the place one level deeper."""
    if not isinstance(given, dict):
        return None
    inner = given.get("approximate")
    return {"type": "approximate", **inner} if isinstance(inner, dict) else given


def _chosen(options: Json, names: tuple[str, ...]) -> Json:
    return {name: options[name] for name in names if options.get(name) is not None}
