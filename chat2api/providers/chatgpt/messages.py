"""Reads the messages of a turn: what kind each is, and its fields, however sparse (sheet 5.5 to 5.9). Pure.

A message is a JSON object in which anything may be null, missing or of another type (sheet 14, 6), and
in which a text may be a `Rope`. The helpers here answer with empty values then, never with an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any

from chat2api.codecs.rope import Rope

Json = Mapping[str, Any]


class Kind(Enum):
    """What becomes of a message."""

    ANSWER = "answer"  # the visible text
    REASONING = "reasoning"  # shown thinking: commentary, preambles, the summaries of 2024
    THOUGHTS = "thoughts"  # the list of thoughts of 2025 and later
    SOURCE = "source"  # a program for the code interpreter
    OUTPUT = "output"  # what that program printed
    PICTURES = "pictures"  # a tool's multimodal reply
    TOOL_TEXT = "tool_text"  # a tool's words: not shown, but they may say that a quota is used up
    SYSTEM_ERROR = "system_error"
    HIDDEN = "hidden"  # echoes, contexts, recaps, calls of other tools


# Tools that draw; the last two names are made up by the upstream and change (sheet 5.7).
_PICTURE_TOOLS = ("dalle", "image_gen", "t2uay3k")

# Tools whose words may quote anything, a quota message included.
_QUOTING_TOOLS = ("browser", "web", "search", "genui", "file_search", "myfiles", "bio", "canmore")

_TEXTS = frozenset({"text", "multimodal_text"})


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, Rope) else ""


def mapping_of(value: Any) -> Json:
    return value if isinstance(value, dict) else _EMPTY


def items_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


_EMPTY: Json = MappingProxyType({})


def kind_of(message: Json) -> Kind:
    """By the rules of sheet 5.6 and 5.8; ids of our own messages are the caller's business."""
    metadata = mapping_of(message.get("metadata"))
    content_type = text_of(mapping_of(message.get("content")).get("content_type"))
    if metadata.get("is_visually_hidden_from_conversation") is True:
        return Kind.HIDDEN
    match role_of(message):
        case "assistant":
            return _assistant_kind(message, metadata, content_type)
        case "tool":
            return _tool_kind(message, metadata, content_type)
        case _:
            return Kind.SYSTEM_ERROR if content_type == "system_error" else Kind.HIDDEN


def _assistant_kind(message: Json, metadata: Json, content_type: str) -> Kind:
    recipient = recipient_of(message)
    if content_type == "system_error":
        return Kind.SYSTEM_ERROR
    if recipient == "python":
        return Kind.SOURCE if content_type in ("code", "text") else Kind.HIDDEN
    if recipient != "all":
        return Kind.HIDDEN
    if content_type == "thoughts":
        return Kind.THOUGHTS
    if content_type not in _TEXTS:
        return Kind.HIDDEN
    if metadata.get("is_thinking_preamble_message") is True:
        return Kind.REASONING
    match text_of(message.get("channel")):
        case "" | "final":
            return Kind.ANSWER
        case "commentary":
            return Kind.REASONING
        case _:
            return Kind.HIDDEN


def _tool_kind(message: Json, metadata: Json, content_type: str) -> Kind:
    match content_type:
        case "system_error":
            return Kind.SYSTEM_ERROR
        case "execution_output" if author_name(message) == "python":
            return Kind.OUTPUT
        case "multimodal_text":
            return Kind.PICTURES
        case "text" if text_of(metadata.get("initial_text")):
            return Kind.REASONING
        case "text":
            return Kind.TOOL_TEXT
        case _:
            return Kind.HIDDEN


def role_of(message: Json) -> str:
    return text_of(mapping_of(message.get("author")).get("role"))


def author_name(message: Json) -> str:
    return text_of(mapping_of(message.get("author")).get("name"))


def recipient_of(message: Json) -> str:
    return text_of(message.get("recipient")) or "all"


def is_finished(message: Json) -> bool:
    """Whole or cut: nothing more will be added."""
    return text_of(message.get("status")).startswith("finished")


def calls_picture_tool(message: Json) -> bool:
    return role_of(message) == "assistant" and recipient_of(message).startswith(_PICTURE_TOOLS)


def may_quote(message: Json) -> bool:
    return author_name(message).startswith(_QUOTING_TOOLS)


def text_parts(message: Json) -> Iterator[str | Rope]:
    """The texts of a message, in order: `content.parts`, else `content.text`."""
    content = mapping_of(message.get("content"))
    parts = content.get("parts")
    if not isinstance(parts, list):
        parts = [content.get("text")]
    for part in parts:
        if isinstance(part, str | Rope):
            yield part


def first_text(message: Json) -> str | Rope:
    """The program or output of an interpreter message: `content.text`, else the first part."""
    text = mapping_of(message.get("content")).get("text")
    if isinstance(text, str | Rope):
        return text
    return next(text_parts(message), "")
