"""The bodies of chat completions: checked, and told to the mind. Raises `Wrong` for what is not allowed."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Line, Role, Situation, Tool

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "result",
    "function": "result",
}
_MOST_CHOICES = 8


class Wrong(Exception):
    """A field that is wrong; `param` is its path, the text is for the caller."""

    def __init__(self, text: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(text)
        self.param = param
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a completion. `max_tokens` None: no limit."""

    model: str
    situation: Situation
    stream: bool
    include_usage: bool
    choices: int
    max_tokens: int | None
    stop: tuple[str, ...]

    @property
    def prompt(self) -> Line:
        """What the user said last."""
        at = self.situation.last_user
        return self.situation.lines[at] if at >= 0 else Line("user", "")


def parse(body: Json) -> Asked:
    """The request; raises Wrong."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Wrong("you must provide a model parameter", "model")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Wrong("'messages' must be a non-empty list.", "messages")
    tools = tuple(_tools(body.get("tools") or []))
    wants_json, schema = _format(body.get("response_format"))
    mode, only = _choice(body.get("tool_choice", "auto"), tools)
    allowed = tuple(tool for tool in tools if only is None or tool.name in only)
    situation = Situation(
        tuple(_lines(messages)),
        () if mode == "none" else allowed,
        must_call=mode == "required",
        named=allowed[0].name if mode == "required" and only and len(allowed) == 1 else None,
        parallel=body.get("parallel_tool_calls") is not False,
        wants_json=wants_json,
        schema=schema,
    )
    return Asked(
        model,
        situation,
        stream=_flag(body, "stream"),
        include_usage=_flag(_object(body, "stream_options"), "include_usage"),
        choices=_whole(body, "n", 1, _MOST_CHOICES) or 1,
        max_tokens=_whole(body, "max_completion_tokens") or _whole(body, "max_tokens"),
        stop=_stop(body.get("stop")),
    )


def _object(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Wrong(f"Invalid type for '{name}': expected an object.", name)
    return value


def _flag(body: Json, name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise Wrong(f"Invalid type for '{name}': expected a boolean.", name)
    return bool(value)


def _whole(body: Json, name: str, least: int = 1, most: int | None = None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or value < least or (most is not None and value > most):
        raise Wrong(f"Invalid value for '{name}': {value!r}.", name)
    return value


def _stop(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise Wrong("'stop' must be a string or a list of strings.", "stop")
    if len(stops) > 4:
        raise Wrong("'stop' takes four strings at most.", "stop")
    return tuple(stops)


# --- messages


def _lines(messages: list[Any]) -> Iterable[Line]:
    names: dict[str, str] = {}  # of the called tools, by call
    waiting: set[str] = set()
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        said = message.get("role") if isinstance(message, dict) else None
        role = _ROLES.get(said) if isinstance(said, str) else None
        if role is None:
            raise Wrong(f"Invalid value for '{where}.role'.", f"{where}.role")
        text, pictures = _content(message.get("content"), f"{where}.content")
        if role == "result":
            call_id = str(message.get("tool_call_id"))
            if said == "tool" and call_id not in names:
                text = "messages with role 'tool' must answer a message with 'tool_calls'."
                raise Wrong(f"Invalid parameter: {text}", f"{where}.role")
            waiting.discard(call_id)
            yield Line("result", text, names.get(call_id, ""), pictures)
            continue
        if waiting:
            missing = ", ".join(sorted(waiting))
            raise Wrong(f"These tool_call_ids have no answering message: {missing}", where)
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Wrong(f"Invalid type for '{where}.tool_calls'.", f"{where}.tool_calls")
        for call in calls:
            name = _called(call, where)
            names[call["id"]] = name
            waiting.add(call["id"])
        yield Line(role, text, pictures=pictures)


def _called(call: Any, where: str) -> str:
    """The name in an earlier call."""
    kind = call.get("type") if isinstance(call, dict) else None
    inside = call.get(kind) if kind in ("function", "custom") else None
    fields = ("name", "arguments" if kind == "function" else "input")
    if not isinstance(inside, dict) or not isinstance(call.get("id"), str):
        raise Wrong(f"Invalid value in '{where}.tool_calls'.", f"{where}.tool_calls")
    if not all(isinstance(inside.get(field), str) for field in fields):
        raise Wrong(f"Invalid value in '{where}.tool_calls'.", f"{where}.tool_calls")
    return str(inside["name"])


def _content(content: Any, where: str) -> tuple[str, tuple[str, ...]]:
    if content is None or isinstance(content, str):
        return content or "", ()
    if not isinstance(content, list):
        raise Wrong(f"Invalid type for '{where}': expected a string or a list.", where)
    texts: list[str] = []
    pictures: list[str] = []
    for at, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        match kind:
            case "text" | "refusal" if isinstance(part.get(kind), str):
                texts.append(part[kind])
            case "image_url":
                pictures.append(_picture(part.get("image_url"), f"{where}[{at}].image_url"))
            case "file" | "input_audio":
                pictures.append("a file")
            case _:
                raise Wrong(f"Invalid value for '{where}[{at}].type'.", f"{where}[{at}].type")
    return "".join(texts), tuple(pictures)


def _picture(value: Any, where: str) -> str:
    """What can be seen of a picture without eyes."""
    url = value.get("url") if isinstance(value, dict) else None
    if not isinstance(url, str):
        raise Wrong(f"Missing required parameter: '{where}.url'.", f"{where}.url")
    head, sign, data = url.partition(",")
    if head.startswith("data:") and sign:
        try:
            return f"a picture of {len(base64.b64decode(data, validate=True))} bytes"
        except binascii.Error:
            raise Wrong("The image data you provided is not valid base64.", where) from None
    if url.startswith(("http://", "https://")):
        return f"a picture at {url}"
    raise Wrong("Invalid image URL.", f"{where}.url", "invalid_image_url")


# --- tools and formats


def _tools(tools: Any) -> Iterable[Tool]:
    if not isinstance(tools, list):
        raise Wrong("Invalid type for 'tools': expected a list.", "tools")
    for at, tool in enumerate(tools):
        kind = tool.get("type") if isinstance(tool, dict) else None
        inside = tool.get(kind) if kind in ("function", "custom") else None
        if not isinstance(inside, dict):
            raise Wrong(f"Invalid value for 'tools[{at}].type'.", f"tools[{at}].type")
        name = inside.get("name")
        if not isinstance(name, str) or not name:
            missing = f"tools[{at}].{kind}.name"
            raise Wrong(f"Missing required parameter: '{missing}'.", missing)
        about = str(inside.get("description") or "")
        yield Tool(name, about, _object(inside, "parameters") if kind == "function" else None)


def _choice(choice: Any, tools: tuple[Tool, ...]) -> tuple[str, frozenset[str] | None]:
    """The mode, and the names that it is narrowed to."""
    if choice is None or choice in ("none", "auto"):
        return choice or "auto", None
    if choice == "required" and tools:
        return "required", None
    mode, only = "required", frozenset[str]()
    match choice:
        case {"type": "function", "function": {"name": str(name)}}:
            only = frozenset((name,))
        case {"type": "custom", "custom": {"name": str(name)}}:
            only = frozenset((name,))
        case {"type": "allowed_tools", "allowed_tools": {"mode": str(mode), "tools": [*parts]}}:
            only = frozenset(_name_in(part) for part in parts)
    if not only or not only <= {tool.name for tool in tools}:
        raise Wrong("Invalid value for 'tool_choice'.", "tool_choice")
    return mode, only


def _name_in(part: Any) -> str:
    match part:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case {"type": "custom", "custom": {"name": str(name)}}:
            return name
    raise Wrong("Invalid value for 'tool_choice'.", "tool_choice")


def _format(form: Any) -> tuple[bool, Json | None]:
    match form:
        case None | {"type": "text"}:
            return False, None
        case {"type": "json_object"}:
            return True, None
        case {"type": "json_schema", "json_schema": {"name": str(), "schema": dict() as schema}}:
            return True, json.loads(json.dumps(schema))
    raise Wrong("Invalid value for 'response_format'.", "response_format")
