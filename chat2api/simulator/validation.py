"""Checks conversation bodies as the upstream's schema does: 422 with one entry per problem (sheet 4)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from chat2api.simulator.documents import Json
from chat2api.simulator.mind.reading import Said
from chat2api.simulator.refusals import wrong_schema

ROOT = "client-created-root"
_ACTIONS = ("next", "continue", "variant")
_ROLES = ("system", "user", "assistant", "tool")
Problem = tuple[tuple[str | int, ...], str, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """A conversation call's body, checked."""

    action: str
    messages: tuple[Json, ...]
    model: str
    parent: str
    conversation_id: str | None
    temporary: bool
    encodings: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def last_user_text(self) -> str:
        texts = [text_of(one) for one in self.messages if one["author"]["role"] == "user"]
        return texts[-1] if texts else ""

    @property
    def said(self) -> tuple[Said, ...]:
        return tuple(Said(one["author"]["role"], text_of(one)) for one in self.messages)


def text_of(message: Json) -> str:
    """The text parts of a message, joined by line ends."""
    parts = message["content"].get("parts") or []
    return "\n".join(part for part in parts if isinstance(part, str))


def is_uuid(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return str(uuid.UUID(value)) == value.lower()
    except ValueError:
        return False


def parse_ask(body: Json) -> Ask:
    """The body as `Ask`, or a 422 refusal that names every problem."""
    problems: list[Problem] = []
    action = body.get("action")
    if action not in _ACTIONS:
        problems.append((("action",), f"Input should be one of {_ACTIONS}", "literal_error"))
    if not isinstance(body.get("model"), str) or not body["model"]:
        problems.append((("model",), "Field required", "missing"))
    problems += _parent_problems(body.get("parent_message_id"))
    messages = body.get("messages") or []
    if not isinstance(messages, list):
        problems.append((("messages",), "Input should be a valid list", "list_type"))
        messages = []
    elif not messages and action == "next":
        problems.append((("messages",), "Field required", "missing"))
    for index, one in enumerate(messages):
        problems += _message_problems(one, index)
    conversation_id = body.get("conversation_id")
    if conversation_id is not None and not is_uuid(conversation_id):
        problems.append((("conversation_id",), "Input should be a valid UUID", "uuid_parsing"))
    for name in ("supported_encodings", "system_hints"):
        if not _is_words(body.get(name) or []):
            problems.append(((name,), "Input should be a list of strings", "list_type"))
    flag = body.get("history_and_training_disabled") or False
    if not isinstance(flag, bool):
        where = ("history_and_training_disabled",)
        problems.append((where, "Input should be a valid boolean", "bool_type"))
    if problems:
        raise wrong_schema(*problems)
    return Ask(
        action=str(action),
        messages=tuple(messages),
        model=body["model"],
        parent=body["parent_message_id"],
        conversation_id=conversation_id,
        temporary=flag,
        encodings=tuple(body.get("supported_encodings") or ()),
        hints=tuple(body.get("system_hints") or ()),
    )


def _is_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _parent_problems(parent: object) -> list[Problem]:
    if parent == ROOT or is_uuid(parent):
        return []
    text = "Field required" if parent is None else "Input should be a valid UUID"
    return [(("parent_message_id",), text, "missing" if parent is None else "uuid_parsing")]


def _message_problems(message: Any, index: int) -> list[Problem]:
    where = ("messages", index)
    if not isinstance(message, dict):
        return [(where, "Input should be a valid dictionary", "model_attributes_type")]
    problems: list[Problem] = []
    if not is_uuid(message.get("id")):
        problems.append(((*where, "id"), "Input should be a valid UUID", "uuid_parsing"))
    author = message.get("author")
    if not isinstance(author, dict) or author.get("role") not in _ROLES:
        text = f"Input should be one of {_ROLES}"
        problems.append(((*where, "author", "role"), text, "literal_error"))
    content = message.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("content_type"), str):
        problems.append(((*where, "content", "content_type"), "Field required", "missing"))
    elif content["content_type"] in ("text", "multimodal_text"):
        parts = content.get("parts")
        if not isinstance(parts, list) or not all(isinstance(p, str | dict) for p in parts):
            problems.append(((*where, "content", "parts"), "Input should be a list", "list_type"))
    return problems
