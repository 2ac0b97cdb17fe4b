"""The `messages` of a chat completion request: JSON to `Message` values, with the API's own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import orjson
from pydantic import StringConstraints

from chat2api.chat.conversation import (
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.dialects.validation import (
    GivenName,
    Id,
    Name,
    Wire,
    check,
    choose,
    invalid,
    missing,
    wrong_type,
)
from chat2api.errors import RequestError


def parse_messages(
    raw: list[Any], path: str = "messages", *, continues: bool = False
) -> tuple[Message, ...]:
    """The messages in order. Raises RequestError naming the field, `tool_call_not_found` included.

    `continues`: they go on with what the upstream keeps, where calls may stand that are not here.
    """
    known_calls: set[str] = set()
    legacy = _LegacyIds()
    messages = []
    for index, item in enumerate(raw):
        here = f"{path}[{index}]"
        message = legacy.given(choose(_ROLES, "role", item, here)(item, here))
        for part in message.parts:
            if isinstance(part, ToolCall):
                known_calls.add(part.call_id)
        if item["role"] == "tool" and not continues:
            _require_call(message, known_calls, here)
        messages.append(message)
    return tuple(messages)


class _LegacyIds:
    """Call ids for legacy messages, which have none: a result answers the last call of its function."""

    def __init__(self) -> None:
        self._made = 0
        self._last: dict[str, str] = {}

    def given(self, message: Message) -> Message:
        """The message, with an id where there is none."""
        parts = tuple(self._with_id(part, message.name or "") for part in message.parts)
        return message if parts == message.parts else replace(message, parts=parts)

    def _with_id(self, part: Part, function: str) -> Part:
        match part:
            case ToolCall("", name):
                return replace(part, call_id=self._new(name))
            case ToolResult(""):
                return replace(part, call_id=self._last.get(function) or self._new(function))
            case _:
                return part

    def _new(self, function: str) -> str:
        self._made += 1
        self._last[function] = f"call_legacy_{self._made}"
        return self._last[function]


def _require_call(message: Message, known_calls: set[str], path: str) -> None:
    for part in message.parts:
        if isinstance(part, ToolResult) and part.call_id not in known_calls:
            raise _call_not_found(path)


def _call_not_found(path: str) -> RequestError:
    return RequestError(
        f"Invalid '{path}.tool_call_id': a message with role 'tool' must answer a call that an "
        "earlier assistant message lists in 'tool_calls'.",
        param=f"{path}.tool_call_id",
        code="tool_call_not_found",
    )


# --- one message of each role


class _Plain(Wire):
    name: Name | None = None


class _FunctionCall(Wire):
    name: Name
    arguments: Any


class _ToolCall(Wire):
    id: GivenName
    function: _FunctionCall


class _Custom(Wire):
    name: Name
    input: str


class _CustomCall(Wire):
    id: GivenName
    custom: _Custom


class _Assistant(Wire):
    name: Name | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Any] | None = None
    function_call: Any = None


class _Tool(Wire):
    tool_call_id: Name | None = None


class _Function(Wire):
    name: Name


def _system(item: dict[str, Any], path: str) -> Message:
    parts = _content(item, path, _TEXT_ONLY)
    return Message("system", parts, check(_Plain, item, path).name)


def _user(item: dict[str, Any], path: str) -> Message:
    parts = _content(item, path, _USER_PARTS)
    return Message("user", parts, check(_Plain, item, path).name)


def _assistant(item: dict[str, Any], path: str) -> Message:
    wire = check(_Assistant, item, path)
    parts: list[Part] = []
    if wire.reasoning_content:
        parts.append(Reasoning(wire.reasoning_content))
    calls = _calls(wire, path)
    if item.get("content") is not None:
        parts.extend(_content(item, path, _ASSISTANT_PARTS))
    elif wire.refusal:
        parts.append(Text(wire.refusal))
    elif not calls:
        # The one role whose content may be null, but then something else must be said.
        raise _no_content(item, path)
    return Message("assistant", (*parts, *calls), wire.name)


def _tool(item: dict[str, Any], path: str) -> Message:
    call_id = check(_Tool, item, path).tool_call_id
    if not call_id:
        raise _call_not_found(path)
    return Message("tool", (_result(call_id, item, path),))


def _function(item: dict[str, Any], path: str) -> Message:
    """The legacy form of a tool result. It names the function and no call."""
    name = check(_Function, item, path).name
    if item.get("content", "") is None:
        return Message("tool", (ToolResult("", ""),), name)
    return Message("tool", (_result("", item, path),), name)


def _result(call_id: str, item: dict[str, Any], path: str) -> ToolResult:
    parts = _content(item, path, _RESULT_PARTS)
    return ToolResult(
        call_id,
        "".join(part.text for part in parts if isinstance(part, Text)),
        tuple(part for part in parts if isinstance(part, Image)),
    )


_ROLES: Mapping[str, Callable[[dict[str, Any], str], Message]] = {
    "system": _system,
    "developer": _system,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
    "function": _function,
}


# --- calls the assistant made


def _calls(wire: _Assistant, path: str) -> tuple[ToolCall, ...]:
    calls = [
        _call(item, f"{path}.tool_calls[{index}]")
        for index, item in enumerate(wire.tool_calls or ())
    ]
    if wire.function_call is not None:
        here = f"{path}.function_call"
        legacy = check(_FunctionCall, wire.function_call, here)
        calls.append(ToolCall("", legacy.name, _as_json(legacy.arguments, f"{here}.arguments")))
    return tuple(calls)


def _call(item: object, path: str) -> ToolCall:
    # Clients leave the type out of stored calls.
    if isinstance(item, dict) and item.get("type") is None:
        item = {**item, "type": "custom" if "custom" in item else "function"}
    return choose(_CALLS, "type", item, path)(item, path)


def _function_call(item: object, path: str) -> ToolCall:
    call = check(_ToolCall, item, path)
    arguments = _as_json(call.function.arguments, f"{path}.function.arguments")
    return ToolCall(call.id, call.function.name, arguments)


def _custom_call(item: object, path: str) -> ToolCall:
    call = check(_CustomCall, item, path)
    return ToolCall(call.id, call.custom.name, call.custom.input, custom=True)


_CALLS: Mapping[str, Callable[[object, str], ToolCall]] = {
    "function": _function_call,
    "custom": _custom_call,
}


def _as_json(arguments: object, path: str) -> str:
    """Arguments are a text, JSON as a rule; some clients store the object, or nothing for `{}`."""
    if isinstance(arguments, dict):
        return orjson.dumps(arguments).decode()
    if not isinstance(arguments, str):
        raise wrong_type(path, "a string", arguments)
    # A model may have written no JSON, or have been cut off: what an agent sends back is taken as it is.
    return arguments if arguments.strip() else "{}"


# --- content


PartReader = Callable[[dict[str, Any], str], Part]
NonEmpty = Annotated[str, StringConstraints(min_length=1)]


class _TextPart(Wire):
    text: str


class _RefusalPart(Wire):
    refusal: str


class _ImageUrl(Wire):
    url: NonEmpty
    detail: Name | None = None


class _ImagePart(Wire):
    image_url: _ImageUrl


class _Audio(Wire):
    data: NonEmpty
    format: Id


class _AudioPart(Wire):
    input_audio: _Audio


class _FileSource(Wire):
    file_id: Name | None = None
    file_data: str | None = None
    filename: Name | None = None


class _FilePart(Wire):
    file: _FileSource


def _text_part(item: dict[str, Any], path: str) -> Part:
    return Text(check(_TextPart, item, path).text)


def _refusal_part(item: dict[str, Any], path: str) -> Part:
    return Text(check(_RefusalPart, item, path).refusal)


def _image_part(item: dict[str, Any], path: str) -> Part:
    image = check(_ImagePart, item, path).image_url
    return Image(image.url, image.detail)


def _audio_part(item: dict[str, Any], path: str) -> Part:
    """A sound is a file to every upstream."""
    audio = check(_AudioPart, item, path).input_audio
    return File(f"data:audio/{audio.format};base64,{audio.data}", name=f"audio.{audio.format}")


def _file_part(item: dict[str, Any], path: str) -> Part:
    file = check(_FilePart, item, path).file
    if not file.file_id and not file.file_data:
        raise missing(f"{path}.file.file_id")
    return File(file.file_data or None, file.file_id or None, file.filename)


_TEXT_ONLY: Mapping[str, PartReader] = {"text": _text_part}
_RESULT_PARTS: Mapping[str, PartReader] = {"text": _text_part, "image_url": _image_part}
_ASSISTANT_PARTS: Mapping[str, PartReader] = {"text": _text_part, "refusal": _refusal_part}
_USER_PARTS: Mapping[str, PartReader] = {
    "text": _text_part,
    "image_url": _image_part,
    "input_audio": _audio_part,
    "file": _file_part,
}


def _content(
    item: dict[str, Any], path: str, readers: Mapping[str, PartReader]
) -> tuple[Part, ...]:
    """A string, or a list of the parts this role may carry."""
    content = item.get("content")
    here = f"{path}.content"
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise _no_content(item, path)
    if not content:
        raise invalid(here, "empty array. Expected at least 1 item")
    return tuple(
        choose(readers, "type", part, f"{here}[{index}]")(part, f"{here}[{index}]")
        for index, part in enumerate(content)
    )


def _no_content(item: dict[str, Any], path: str) -> RequestError:
    here = f"{path}.content"
    if "content" not in item:
        return missing(here)
    return wrong_type(here, "a string or an array of objects", item["content"])
