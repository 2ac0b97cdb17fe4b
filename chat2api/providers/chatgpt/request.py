"""The bodies of conversation requests, both generations (sheet 4). Pure: ids and times are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chat2api.chat.conversation import (
    Conversation,
    File,
    Image,
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from chat2api.errors import RequestError, Unsupported
from chat2api.providers.chatgpt.models import Target
from chat2api.providers.chatgpt.persona import Persona

HistoryForm = Literal["messages", "folded"]

NEW_CHAT_ROOT = "client-created-root"

_CONTEXT = {
    "is_dark_mode": False,
    "time_since_loaded": 1200,
    "page_height": 1072,
    "page_width": 1724,
    "pixel_ratio": 1.2,
    "screen_height": 1080,
    "screen_width": 1920,
    "app_name": "chatgpt.com",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn ready to be sent. `temporary` keeps it out of the account's history; `hints` ask for tools
    of the upstream's own."""

    target: Target
    messages: tuple[dict[str, Any], ...]
    parent_message_id: str
    conversation_id: str | None
    temporary: bool
    hints: tuple[str, ...] = ()

    @property
    def message_ids(self) -> frozenset[str]:
        return frozenset(message["id"] for message in self.messages)

    @property
    def question(self) -> dict[str, Any]:
        """What is to be answered: the user's last message, whatever else was said after it."""
        from_user = (one for one in reversed(self.messages) if one["author"]["role"] == "user")
        return next(from_user, self.messages[-1])


def build_turn(
    conversation: Conversation,
    target: Target,
    *,
    temporary: bool,
    new_id: Callable[[], str],
    now: float,
    history_form: HistoryForm = "messages",
) -> Turn:
    """Raises Unsupported for parts this upstream cannot take yet, RequestError for an empty turn.

    A new chat sends the whole history, as several messages or folded into one (sheet 4.4); a continued
    one only what is new.
    """
    reply_to = conversation.reply_to
    messages = _new_messages(conversation.messages) if reply_to else conversation.messages
    if history_form == "folded":
        messages = _folded(messages)
    wire = tuple(_wire_message(message, new_id(), now) for message in messages)
    if not wire:
        raise RequestError("There is no new message to send.", param="messages")
    return Turn(
        target,
        wire,
        (reply_to.parent_message_id if reply_to else None) or NEW_CHAT_ROOT,
        reply_to.conversation_id if reply_to else None,
        temporary,
        _hints(conversation),
    )


def _hints(conversation: Conversation) -> tuple[str, ...]:
    """A search is hinted at, since the model is slow to search by itself; it draws without being told."""
    searches = any(builtin.kind == "web_search" for builtin in conversation.builtins)
    return ("search",) if searches else ()


def _new_messages(messages: Sequence[Message]) -> Sequence[Message]:
    """What follows the last answer: the upstream has the rest."""
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].role == "assistant":
            return messages[index + 1 :]
    return messages


def _folded(messages: Sequence[Message]) -> Sequence[Message]:
    """One message of the user that tells who said what. What a user says alone needs no label."""
    if not messages or (len(messages) == 1 and messages[0].role in ("user", "tool")):
        return messages
    told = "\n\n".join(f"{one.role.capitalize()}: {_text_of(one)}" for one in messages)
    return (Message("user", (Text(told),)),)


def _wire_message(message: Message, message_id: str, now: float) -> dict[str, Any]:
    role = "user" if message.role == "tool" else message.role
    author: dict[str, Any] = {"role": role}
    return {
        "id": message_id,
        "author": author,
        "create_time": now,
        "content": {"content_type": "text", "parts": [_text_of(message)]},
        "metadata": {},
    }


def _text_of(message: Message) -> str:
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text):
                texts.append(text)
            case ToolResult(_, text):
                texts.append(text)
            case ToolCall(_, name, arguments):
                texts.append(f"{name}({arguments})")
            case Reasoning():
                pass
            case Image() | File():
                raise Unsupported(
                    "Pictures and files in messages are not supported by this upstream yet.",
                    param="messages",
                )
    return "".join(texts)


def conversation_body(turn: Turn, persona: Persona, *, prepared: bool) -> dict[str, Any]:
    """The body of `POST {B}/f/conversation` (2026)."""
    body: dict[str, Any] = {
        "action": "next",
        "messages": list(turn.messages),
        "parent_message_id": turn.parent_message_id,
        "model": turn.target.slug,
        "client_prepare_state": "success" if prepared else "none",
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": persona.timezone,
        "conversation_mode": _mode(turn.target),
        "history_and_training_disabled": turn.temporary,
        "enable_message_followups": False,
        "system_hints": list(turn.hints),
        "supports_buffering": True,
        "supported_encodings": ["v1"],
        "client_contextual_info": _CONTEXT,
        "paragen_cot_summary_display_override": "allow",
        "force_parallel_switch": "auto",
    }
    if turn.conversation_id is not None:
        body["conversation_id"] = turn.conversation_id
    if turn.target.effort is not None:
        body["thinking_effort"] = turn.target.effort
    return body


def classic_body(turn: Turn, persona: Persona, *, new_id: Callable[[], str]) -> dict[str, Any]:
    """The body of `POST {B}/conversation` (2024). A new chat's parent is a fresh UUID there."""
    parent = turn.parent_message_id
    body: dict[str, Any] = {
        "action": "next",
        "messages": list(turn.messages),
        "parent_message_id": new_id() if parent == NEW_CHAT_ROOT else parent,
        "model": turn.target.slug,
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": persona.timezone,
        "conversation_mode": _mode(turn.target),
        "history_and_training_disabled": turn.temporary,
        "force_paragen": False,
        "force_paragen_model_slug": "",
        "force_rate_limit": False,
        "force_use_sse": True,
        "reset_rate_limits": False,
        "suggestions": [],
        "system_hints": list(turn.hints),
        "supported_encodings": ["v1"],
        "websocket_request_id": new_id(),
        "client_contextual_info": _CONTEXT,
        "paragen_cot_summary_display_override": "allow",
    }
    if turn.conversation_id is not None:
        body["conversation_id"] = turn.conversation_id
    if turn.target.effort is not None:
        body["thinking_effort"] = turn.target.effort
    return body


def prepare_body(turn: Turn, persona: Persona) -> dict[str, Any]:
    """The body of `POST {B}/f/conversation/prepare`, one call with state `none` (sheet 4.2)."""
    question = turn.question
    body: dict[str, Any] = {
        "action": "next",
        "fork_from_shared_post": False,
        "parent_message_id": turn.parent_message_id,
        "model": turn.target.slug,
        "client_prepare_state": "none",
        "timezone_offset_min": persona.timezone_offset_min,
        "timezone": persona.timezone,
        "conversation_mode": _mode(turn.target),
        "history_and_training_disabled": turn.temporary,
        "system_hints": list(turn.hints),
        "partial_query": {key: question[key] for key in ("id", "author", "content")},
        "supports_buffering": True,
        "supported_encodings": ["v1"],
        "client_contextual_info": {"app_name": "chatgpt.com"},
    }
    if turn.conversation_id is not None:
        body["conversation_id"] = turn.conversation_id
    if turn.target.effort is not None:
        body["thinking_effort"] = turn.target.effort
    return body


def _mode(target: Target) -> dict[str, str]:
    if target.gizmo_id is not None:
        return {"kind": "gizmo_interaction", "gizmo_id": target.gizmo_id}
    return {"kind": "primary_assistant"}
