"""The `system` and `messages` of a Messages request: JSON to `Message` values.

What only the other API's own models can use is accepted and left out: earlier thinking with its
signatures, and the blocks of tools that run on its servers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

import orjson
from pydantic import StringConstraints

from chat2api.chat.conversation import File, Image, Message, Part, Text, ToolCall, ToolResult
from chat2api.dialects.anthropic_tools import call_id_of
from chat2api.dialects.validation import Name, Wire, check, choose, invalid, missing, wrong_type
from chat2api.errors import RequestError

_BILLING_HEADER = "x-anthropic-billing-header:"
"""Begins a block that Claude Code puts before its prompt, for its maker's accounts."""

_BETWEEN_BLOCKS = "\n\n"
"""Blocks are paragraphs to who writes them, but the pieces of one text in an answer."""

_LEFT_OUT = frozenset(
    {
        "thinking",
        "redacted_thinking",
        "server_tool_use",
        "mcp_tool_use",
        "container_upload",
        "compaction",
        "fallback",
        "tool_reference",
        "tool_addition",
        "tool_removal",
        "mcp_tool_listing",
        "browser_state",
    }
)
_SERVER_RESULT = "_tool_result"
"""Ends the type of what a tool on the other API's servers gave."""

Blocks = Mapping[str, Callable[[dict[str, Any], str], Iterable[Part]]]
NonEmpty = Annotated[str, StringConstraints(min_length=1)]


def parse_system(value: object, path: str = "system") -> tuple[Message, ...]:
    """No message, or the one that tells the model how to be."""
    if value is None:
        return ()
    blocks = _listed(value, path)
    if blocks and _is_billing_header(blocks[0]):
        blocks = blocks[1:]
    texts = tuple(_joined(_parts(blocks, path, _SYSTEM), _BETWEEN_BLOCKS))
    return (Message("system", texts),) if texts else ()


def parse_messages(raw: list[Any], path: str = "messages") -> tuple[Message, ...]:
    """The messages in order. Raises RequestError naming the field, `tool_call_not_found` included.

    Results of tools follow the calls that they answer at once, as every upstream wants them.
    """
    read = _Reader()
    roles = {"user": read.user, "assistant": read.assistant, "system": read.system}
    for index, item in enumerate(raw):
        here = f"{path}[{index}]"
        role = choose(roles, "role", item, here)
        role(_content(item, here), f"{here}.content")
    if not read.messages:
        raise invalid(path, "no message says anything")
    return tuple(read.messages)


class _Reader:
    """Takes one message after the other. `_results_at` is where the next result of a tool belongs."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._calls: set[str] = set()
        self._results_at = 0

    def user(self, blocks: list[Any], path: str) -> None:
        if not blocks:
            raise invalid(path, "empty array. Expected at least 1 item")
        said: list[Part] = []
        for part, here in _parts_with_paths(blocks, path, _USER):
            if isinstance(part, ToolResult):
                self._add_result(part, here)
            else:
                said.append(part)
        self._add("user", _joined(said, _BETWEEN_BLOCKS))

    def assistant(self, blocks: list[Any], path: str) -> None:
        parts = tuple(_joined(_parts(blocks, path, _ASSISTANT), ""))
        self._calls.update(part.call_id for part in parts if isinstance(part, ToolCall))
        self._add("assistant", parts)
        self._results_at = len(self.messages)

    def system(self, blocks: list[Any], path: str) -> None:
        self._add("system", _joined(_parts(blocks, path, _SYSTEM), _BETWEEN_BLOCKS))

    def _add(self, role: Any, parts: Iterable[Part]) -> None:
        if kept := tuple(parts):
            self.messages.append(Message(role, kept))

    def _add_result(self, result: ToolResult, path: str) -> None:
        if result.call_id not in self._calls:
            raise RequestError(
                f"{path}: unexpected `tool_use_id` found in `tool_result` blocks. No `tool_use` block "
                "of an earlier assistant message has this id.",
                param=f"{path}.tool_use_id",
                code="tool_call_not_found",
            )
        self.messages.insert(self._results_at, Message("tool", (result,)))
        self._results_at += 1


def _is_billing_header(block: object) -> bool:
    text = block.get("text") if isinstance(block, dict) else None
    return isinstance(text, str) and text.startswith(_BILLING_HEADER)


# --- blocks


def _content(item: dict[str, Any], path: str) -> list[Any]:
    if "content" not in item:
        raise missing(f"{path}.content")
    return _listed(item["content"], f"{path}.content")


def _listed(content: object, path: str) -> list[Any]:
    """Blocks; a string is one of text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list):
        return content
    raise wrong_type(path, "a string or an array of objects", content)


def _parts(blocks: list[Any], path: str, kinds: Blocks) -> Iterator[Part]:
    return (part for part, _ in _parts_with_paths(blocks, path, kinds))


def _parts_with_paths(blocks: list[Any], path: str, kinds: Blocks) -> Iterator[tuple[Part, str]]:
    for index, block in enumerate(blocks):
        here = f"{path}[{index}]"
        if not _is_left_out(block, kinds):
            for part in choose(kinds, "type", block, here)(block, here):
                yield part, here


def _is_left_out(block: object, kinds: Blocks) -> bool:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str) or kind in kinds:
        return False
    return kind in _LEFT_OUT or (kind.endswith(_SERVER_RESULT) and kind != "tool_result")


def _joined(parts: Iterable[Part], between: str) -> Iterator[Part]:
    """Neighbouring texts as one, so that no upstream runs their words together."""
    for is_text, group in itertools.groupby(parts, lambda part: isinstance(part, Text)):
        if is_text:
            yield Text(between.join(part.text for part in group if isinstance(part, Text)))
        else:
            yield from group


class _TextBlock(Wire):
    text: str


class _Source(Wire):
    """Where a picture or document comes from; `choose` has looked at its type."""

    media_type: Name = "application/octet-stream"
    data: NonEmpty


class _UrlSource(Wire):
    url: NonEmpty


class _FileSource(Wire):
    file_id: Name


class _TextSource(Wire):
    data: str


class _ContentSource(Wire):
    content: Any


class _Document(Wire):
    source: dict[str, Any]
    title: str | None = None
    context: str | None = None


class _SearchResult(Wire):
    source: str
    title: str
    content: list[Any]


class _ToolUse(Wire):
    id: Name
    name: Name
    input: dict[str, Any]


class _ToolResult(Wire):
    tool_use_id: Name
    content: Any = None
    is_error: bool | None = None


def _text(block: dict[str, Any], path: str) -> Iterator[Part]:
    yield Text(check(_TextBlock, block, path).text)


def _data_url(source: dict[str, Any], path: str) -> str:
    wire = check(_Source, source, path)
    return f"data:{wire.media_type};base64,{wire.data}"


def _web_url(source: dict[str, Any], path: str) -> str:
    return check(_UrlSource, source, path).url


_IMAGE_SOURCES: Mapping[str, Callable[[dict[str, Any], str], str]] = {
    "base64": _data_url,
    "url": _web_url,
}


def _image(block: dict[str, Any], path: str) -> Iterator[Part]:
    if "source" not in block:
        raise missing(f"{path}.source")
    here = f"{path}.source"
    yield Image(choose(_IMAGE_SOURCES, "type", block["source"], here)(block["source"], here))


def _document(block: dict[str, Any], path: str) -> Iterator[Part]:
    """A document that is text becomes text, which every upstream can read."""
    wire = check(_Document, block, path)
    here = f"{path}.source"
    head = "\n".join(filter(None, (wire.title, wire.context)))
    match choose(_DOCUMENT_SOURCES, "type", wire.source, here):
        case "base64":
            yield File(_data_url(wire.source, here), name=wire.title)
        case "url":
            yield File(_web_url(wire.source, here), name=wire.title)
        case "file":
            yield File(file_id=check(_FileSource, wire.source, here).file_id, name=wire.title)
        case "text":
            text = check(_TextSource, wire.source, here).data
            yield Text(f"{head}\n\n{text}" if head else text)
        case _:
            if head:
                yield Text(head)
            content = check(_ContentSource, wire.source, here).content
            yield from _parts(_listed(content, f"{here}.content"), f"{here}.content", _WITHIN)


_DOCUMENT_SOURCES = {kind: kind for kind in ("base64", "url", "text", "content", "file")}


def _search_result(block: dict[str, Any], path: str) -> Iterator[Part]:
    wire = check(_SearchResult, block, path)
    yield Text(f"{wire.title}\n{wire.source}")
    yield from _parts(wire.content, f"{path}.content", _SYSTEM)


def _tool_use(block: dict[str, Any], path: str) -> Iterator[Part]:
    wire = check(_ToolUse, block, path)
    yield ToolCall(call_id_of(wire.id), wire.name, orjson.dumps(wire.input).decode())


def _tool_result(block: dict[str, Any], path: str) -> Iterator[Part]:
    """The result, and after it the documents that it holds: a result is text and pictures."""
    wire = check(_ToolResult, block, path)
    blocks = [] if wire.content is None else _listed(wire.content, f"{path}.content")
    parts = list(_parts(blocks, f"{path}.content", _RESULT))
    yield ToolResult(
        call_id_of(wire.tool_use_id),
        _BETWEEN_BLOCKS.join(part.text for part in parts if isinstance(part, Text)),
        tuple(part for part in parts if isinstance(part, Image)),
        bool(wire.is_error),
    )
    yield from (part for part in parts if isinstance(part, File))


_SYSTEM: Blocks = {"text": _text}
_WITHIN: Blocks = {"text": _text, "image": _image}
_ASSISTANT: Blocks = {"text": _text, "tool_use": _tool_use}
_RESULT: Blocks = {**_WITHIN, "document": _document, "search_result": _search_result}
_USER: Blocks = {**_RESULT, "tool_result": _tool_result}
