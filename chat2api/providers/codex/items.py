"""A conversation's messages as input items. Pure.

The backend takes a call only with its output and an output only with its call; what a caller left out or
put elsewhere is set right here, so that the turn is not refused for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

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
from chat2api.errors import Unsupported
from chat2api.providers.codex.tools import ToolNames

Json = dict[str, Any]

Unseal = Callable[[str], str | None]
"""The encrypted reasoning if the account that is asked can read it."""

_LONGEST_ID = 64
_DETAILS = frozenset({"auto", "low", "high", "original"})
_NO_OUTPUT = "(no output)"
_BETWEEN_TEXTS = "\n\n"
_FROM_THE_ASSISTANT = frozenset({"function_call", "custom_tool_call"})

_Place = tuple[int, int]
"""Of a part: the message's index, and the part's in it."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """The results by the calls they answer, and where they stood."""

    of: Mapping[_Place, ToolResult]
    places: frozenset[_Place]


def split_instructions(messages: Sequence[Message]) -> tuple[str, Sequence[Message]]:
    """The texts of the system that lead, joined, and what follows them. There is always something that
    follows, as long as anything was said: a turn is never of instructions only."""
    count = 0
    for message in messages[:-1]:
        if message.role != "system" or not all(isinstance(part, Text) for part in message.parts):
            break
        count += 1
    texts = (message.text for message in messages[:count])
    return _BETWEEN_TEXTS.join(filter(None, texts)), messages[count:]


def input_items(messages: Sequence[Message], names: ToolNames, unseal: Unseal) -> list[Json]:
    """Raises Unsupported for files that this upstream cannot be given."""
    writer = _Writer(names, unseal, _answers(messages))
    written = chain.from_iterable(writer.items(n, one) for n, one in enumerate(messages))
    return _without_stray_reasoning(written)


def _answers(messages: Sequence[Message]) -> _Answers:
    """A result answers the latest call of its id that has none: some clients number each turn's calls anew."""
    waiting: dict[str, _Place] = {}
    of: dict[_Place, ToolResult] = {}
    places: set[_Place] = set()
    for n, message in enumerate(messages):
        for m, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                waiting[part.call_id] = (n, m)
            elif isinstance(part, ToolResult) and part.call_id in waiting:
                of[waiting.pop(part.call_id)] = part
                places.add((n, m))
    return _Answers(of, frozenset(places))


class _Writer:
    def __init__(self, names: ToolNames, unseal: Unseal, answers: _Answers) -> None:
        self._names = names
        self._unseal = unseal
        self._answers = answers
        self._ids: set[str] = set()

    def items(self, number: int, message: Message) -> Iterator[Json]:
        if message.role == "assistant":
            yield from self._said(number, message)
            return
        content = [
            part
            for m, one in enumerate(message.parts)
            if (number, m) not in self._answers.places
            for part in _asked(one)
        ]
        if content:
            yield _message("developer" if message.role == "system" else "user", content)

    def _said(self, number: int, message: Message) -> Iterator[Json]:
        """What the assistant said and called, in its order; then what its calls gave."""
        texts: list[str] = []
        outputs: list[Json] = []
        for m, part in enumerate(message.parts):
            if isinstance(part, Text):
                texts.append(part.text)
                continue
            item = self._item(part, self._answers.of.get((number, m)), outputs)
            if item is not None:
                yield from _text(texts)
                texts = []
                yield item
        yield from _text(texts)
        yield from outputs

    def _item(self, part: Part, result: ToolResult | None, outputs: list[Json]) -> Json | None:
        match part:
            case Reasoning(_, str(sealed)):
                encrypted = self._unseal(sealed)
                if encrypted is not None:
                    return _reasoning(part.text, encrypted)
            case ToolCall():
                call_id = self._call_id(part.call_id)
                outputs.append(_output(call_id, part, result))
                return self._call(call_id, part)
        return None

    def _call(self, call_id: str, call: ToolCall) -> Json:
        named = {"call_id": call_id, "name": self._names.sent(call.name)}
        if call.custom:
            return {"type": "custom_tool_call", **named, "input": call.arguments}
        return {"type": "function_call", **named, "arguments": call.arguments or "{}"}

    def _call_id(self, given: str) -> str:
        """The caller's id, unless it is too long or was another call's."""
        call_id, count = given, 0
        while not 0 < len(call_id) <= _LONGEST_ID or call_id in self._ids:
            digest = hashlib.sha256(f"{given}\0{count}".encode("utf-8", "surrogatepass"))
            call_id, count = f"call_{digest.hexdigest()[:24]}", count + 1
        self._ids.add(call_id)
        return call_id


def _without_stray_reasoning(items: Iterable[Json]) -> list[Json]:
    """Reasoning counts only with what it led to: the backend refuses it alone."""
    kept: list[Json] = []
    led_somewhere = False
    for item in reversed(list(items)):
        if item["type"] == "reasoning":
            if led_somewhere:
                kept.append(item)
            continue
        led_somewhere = item["type"] in _FROM_THE_ASSISTANT or item.get("role") == "assistant"
        kept.append(item)
    kept.reverse()
    return kept


# --- items


def _message(role: str, content: list[Json]) -> Json:
    return {"type": "message", "role": role, "content": content}


def _text(texts: Sequence[str]) -> Iterator[Json]:
    text = "".join(texts)
    if text:
        yield _message("assistant", [{"type": "output_text", "text": text}])


def _reasoning(text: str, encrypted: str) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"type": "reasoning", "summary": summary, "encrypted_content": encrypted}


def _output(call_id: str, call: ToolCall, result: ToolResult | None) -> Json:
    kind = "custom_tool_call_output" if call.custom else "function_call_output"
    return {"type": kind, "call_id": call_id, "output": _outcome(result)}


def _outcome(result: ToolResult | None) -> Any:
    if result is None:
        return _NO_OUTPUT
    if not result.images:
        return result.text
    text = [{"type": "input_text", "text": result.text}] if result.text else []
    return [*text, *map(_image, result.images)]


def _asked(part: Part) -> Iterator[Json]:
    """A part of what the caller, or the system, says. A result that answers no call is told as it is."""
    match part:
        case Text(text):
            if text:
                yield {"type": "input_text", "text": text}
        case Image():
            yield _image(part)
        case File():
            yield _file(part)
        case ToolResult():
            if part.text:
                yield {"type": "input_text", "text": part.text}
            yield from map(_image, part.images)


def _image(image: Image) -> Json:
    detail = {"detail": image.detail} if image.detail in _DETAILS else {}
    return {"type": "input_image", "image_url": image.url, **detail}


def _file(file: File) -> Json:
    url = file.url or ""
    if url.startswith("data:image/"):
        return {"type": "input_image", "image_url": url}
    if not url.startswith("data:") or url.startswith(("data:audio/", "data:video/")):
        raise Unsupported(
            "This upstream takes pictures, and documents as data; no other files.",
            param="messages",
        )
    return {"type": "input_file", "filename": file.name or "file", "file_data": url}
