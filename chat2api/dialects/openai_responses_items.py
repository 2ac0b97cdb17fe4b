"""The input items of a Responses request: JSON to messages, and to the form they are stored in.

Items of one answer (reasoning, text, calls) stand apart in this API; here they become one assistant
message, and the outputs of its calls follow it wherever they stood. Kinds that mean nothing to an
upstream of ours are left out and named in `ignored`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from pydantic import StringConstraints

from chat2api.chat.conversation import (
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.dialects.openai_responses_tools import Home
from chat2api.dialects.validation import (
    Name,
    Wire,
    check,
    choose,
    missing,
    tag_of,
    wrong_type,
)
from chat2api.errors import NotFound, RequestError

Item = Mapping[str, Any]

Expand = Callable[[Item], Sequence[Item] | None]
"""The items that an `item_reference` or a `compaction` item stands for; None when nobody knows."""

ITEMS_LIMIT = 10_000
_PLAIN_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_BETWEEN_TEXTS = "\n\n"

NonEmpty = Annotated[str, StringConstraints(min_length=1)]
CallId = Annotated[Name, StringConstraints(min_length=1)]


# --- parts of a message or of a tool's output


class _TextPart(Wire):
    text: str


class _RefusalPart(Wire):
    refusal: str


class _ImagePart(Wire):
    image_url: NonEmpty | None = None
    file_id: Name | None = None
    detail: Name | None = None


class _FilePart(Wire):
    file_id: Name | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: Name | None = None


class _Audio(Wire):
    data: NonEmpty
    format: Annotated[Name, StringConstraints(pattern=r"^[a-z0-9]{1,16}\z")]


class _AudioPart(Wire):
    input_audio: _Audio


def _text(part: dict[str, Any], path: str) -> Part:
    return Text(check(_TextPart, part, path).text)


def _refusal(part: dict[str, Any], path: str) -> Part:
    return Text(check(_RefusalPart, part, path).refusal)


def _image(part: dict[str, Any], path: str) -> Part:
    image = check(_ImagePart, part, path)
    if image.image_url:
        return Image(image.image_url, image.detail)
    if image.file_id:
        return File(file_id=image.file_id)
    raise missing(f"{path}.image_url")


def _file(part: dict[str, Any], path: str) -> Part:
    file = check(_FilePart, part, path)
    url = file.file_url or file.file_data
    if not url and not file.file_id:
        raise missing(f"{path}.file_id")
    return File(url or None, file.file_id or None, file.filename)


def _audio(part: dict[str, Any], path: str) -> Part:
    """A sound is a file to every upstream."""
    audio = check(_AudioPart, part, path).input_audio
    return File(f"data:audio/{audio.format};base64,{audio.data}", name=f"audio.{audio.format}")


PartReader = Callable[[dict[str, Any], str], Part]

_OUTPUT_PARTS: Mapping[str, PartReader] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "input_image": _image,
    "input_file": _file,
}
_ASKED_PARTS: Mapping[str, PartReader] = {**_OUTPUT_PARTS, "input_audio": _audio}
_SAID_PARTS: Mapping[str, PartReader] = {
    "output_text": _text,
    "input_text": _text,
    "text": _text,
    "refusal": _refusal,
}

_ROLES: Mapping[str, tuple[Role, Mapping[str, PartReader]]] = {
    "user": ("user", _ASKED_PARTS),
    "assistant": ("assistant", _SAID_PARTS),
    "system": ("system", _ASKED_PARTS),
    "developer": ("system", _ASKED_PARTS),
}


def _parts(value: object, path: str, readers: Mapping[str, PartReader]) -> tuple[Part, ...]:
    """A string, or a list of such parts; agents repeat empty lists of their own."""
    if isinstance(value, str):
        return (Text(value),)
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array of objects", value)
    return tuple(
        choose(readers, "type", part, f"{path}[{index}]")(part, f"{path}[{index}]")
        for index, part in enumerate(value)
    )


# --- items


class _Call(Wire):
    call_id: CallId
    name: CallId
    namespace: Name | None = None


class _Output(Wire):
    call_id: CallId


class _Said(Wire):
    text: str


class _ReasoningItem(Wire):
    summary: list[_Said] | None = None
    content: list[_Said] | None = None


class _McpCall(Wire):
    id: CallId
    name: CallId
    arguments: str = ""
    output: str | None = None
    error: Any = None


_HOSTED_CALLS = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
}
"""Calls of tools that agents run for the model: the tool's name, and the field with its arguments."""

_HOSTED_OUTPUTS = frozenset(f"{kind}_output" for kind in _HOSTED_CALLS)


@dataclass(slots=True)
class _Turn:
    """A message in the making, and what answers its calls."""

    role: Role
    parts: list[Part]
    results: list[Message] = field(default_factory=list)

    @property
    def takes_more(self) -> bool:
        return self.role == "assistant" and not self.results

    def has(self, kind: type[Part]) -> bool:
        return any(isinstance(part, kind) for part in self.parts)


class MessageReader:
    """Reads items in order. `homes` tells the namespaces of the tools that calls name."""

    def __init__(self, expand: Expand | None = None, homes: Mapping[str, Home] | None = None):
        self._expand = expand
        self._listed = {home: name for name, home in (homes or {}).items()}
        self._turns: list[_Turn] = []
        self._asked: dict[str, _Turn] = {}
        self._left_out: dict[str, None] = {}

    @property
    def messages(self) -> tuple[Message, ...]:
        made: list[Message] = []
        for turn in self._turns:
            if turn.parts:
                made.append(Message(turn.role, tuple(turn.parts)))
            made.extend(turn.results)
        return tuple(made)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The types of items that were left out."""
        return tuple(self._left_out)

    def read(self, items: Iterable[Item], path: str) -> None:
        """Raises RequestError naming the field; `path` is where the list of items stands."""
        for index, item in enumerate(items):
            self._item(item, f"{path}[{index}]")

    def _item(self, item: Item, path: str) -> None:
        match kind_of(item, path):
            case "message":
                self._message(item, path)
            case "function_call":
                self._call(item, path, custom=False)
            case "custom_tool_call":
                self._call(item, path, custom=True)
            case "function_call_output" | "custom_tool_call_output":
                self._output(item, path)
            case "reasoning":
                self._reasoning(item, path)
            case "item_reference":
                self.read(referenced(item, path, self._expand), path)
            case "compaction":
                self._compaction(item, path)
            case kind:
                self._hosted(kind, item)

    def _message(self, item: Item, path: str) -> None:
        role, readers = choose(_ROLES, "role", item, path)
        if "content" not in item:
            raise missing(f"{path}.content")
        parts = _parts(item["content"], f"{path}.content", readers)
        if role != "assistant":
            self._turns.append(_Turn(role, list(parts)))
            return
        turn = self._assistant()
        if turn.has(Text) and not turn.has(ToolCall):
            self._turns.append(turn := _Turn("assistant", []))
        if turn.has(Text) and parts:
            turn.parts.append(Text(_BETWEEN_TEXTS))
        turn.parts.extend(parts)

    def _call(self, item: Item, path: str, *, custom: bool) -> None:
        call = check(_Call, item, path)
        name = self._listed.get(Home(call.name, call.namespace), call.name)
        key = "input" if custom else "arguments"
        if key not in item:
            raise missing(f"{path}.{key}")
        arguments = _as_text(item[key], f"{path}.{key}")
        self._add_call(ToolCall(call.call_id, name, arguments, custom))

    def _add_call(self, call: ToolCall) -> None:
        turn = self._assistant()
        turn.parts.append(call)
        self._asked[call.call_id] = turn

    def _output(self, item: Item, path: str) -> None:
        call_id = check(_Output, item, path).call_id
        turn = self._asked.get(call_id)
        if turn is None:
            raise RequestError(
                f"Invalid '{path}.call_id': no tool call found for this output; the call must "
                "stand before it, in 'input' or in the response that is continued.",
                param=f"{path}.call_id",
                code="tool_call_not_found",
            )
        if "output" not in item:
            raise missing(f"{path}.output")
        output = item["output"]
        if isinstance(output, dict):
            parts: tuple[Part, ...] = (Text(_as_text(output, f"{path}.output")),)
        else:
            parts = _parts(output, f"{path}.output", _OUTPUT_PARTS)
        if any(isinstance(part, File) for part in parts):
            self._leave_out("input_file")
        text = "".join(part.text for part in parts if isinstance(part, Text))
        images = tuple(part for part in parts if isinstance(part, Image))
        self._answer(turn, ToolResult(call_id, text, images))

    def _answer(self, turn: _Turn, result: ToolResult) -> None:
        turn.results.append(Message("tool", (result,)))

    def _reasoning(self, item: Item, path: str) -> None:
        reasoning = check(_ReasoningItem, item, path)
        said = reasoning.content or reasoning.summary or ()
        text = _BETWEEN_TEXTS.join(part.text for part in said)
        if text:
            self._assistant().parts.append(Reasoning(text))

    def _compaction(self, item: Item, path: str) -> None:
        items = self._expand(item) if self._expand is not None else None
        if items is None:
            self._leave_out("compaction")
        else:
            self.read(items, path)

    def _hosted(self, kind: str, item: Item) -> None:
        """Tools of the public API's own: their calls are context where they tell what came of them."""
        call_id = item.get("call_id", item.get("id"))
        if kind in _HOSTED_CALLS and isinstance(call_id, str):
            name, key = _HOSTED_CALLS[kind]
            self._add_call(ToolCall(call_id, name, _as_json(item.get(key))))
        elif kind in _HOSTED_OUTPUTS and isinstance(call_id, str) and call_id in self._asked:
            output = item.get("output")
            text = output if isinstance(output, str) else _as_json(output)
            self._answer(self._asked[call_id], ToolResult(call_id, text))
        elif kind == "mcp_call":
            self._mcp_call(item)
        else:
            self._leave_out(kind)

    def _mcp_call(self, item: Item) -> None:
        try:
            call = check(_McpCall, item)
        except RequestError:
            self._leave_out("mcp_call")
            return
        self._add_call(ToolCall(call.id, call.name, call.arguments))
        failed = call.output is None
        text = call.output if call.output is not None else _as_json(call.error)
        self._answer(self._asked[call.id], ToolResult(call.id, text, is_error=failed))

    def _assistant(self) -> _Turn:
        """The assistant's turn that is being read; a new one where another has spoken since."""
        if not self._turns or not self._turns[-1].takes_more:
            self._turns.append(_Turn("assistant", []))
        return self._turns[-1]

    def _leave_out(self, kind: str) -> None:
        self._left_out[kind if _PLAIN_TYPE.fullmatch(kind) else "unknown"] = None


def kind_of(item: object, path: str) -> str:
    """The type of an item; messages and references may leave it out."""
    if isinstance(item, dict) and item.get("type") is None:
        if "role" in item:
            return "message"
        if "id" in item:
            return "item_reference"
    return tag_of("type", item, path)


def referenced(item: Item, path: str, expand: Expand | None) -> Sequence[Item]:
    """What an `item_reference` stands for. Raises NotFound."""
    if not isinstance(item.get("id"), str):
        raise (
            missing(f"{path}.id")
            if "id" not in item
            else wrong_type(f"{path}.id", "a string", item["id"])
        )
    found = expand(item) if expand is not None else None
    if found is None:
        raise NotFound(
            f"'{path}' refers to an item that is not kept here. Items are kept when "
            "'store' is on, until they expire.",
            param=f"{path}.id",
            code="item_not_found",
        )
    return found


def _as_text(value: object, path: str) -> str:
    """Arguments are a JSON text; some clients store the object itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _as_json(value)
    raise wrong_type(path, "a string", value)


def _as_json(value: object) -> str:
    return orjson.dumps(value).decode()
