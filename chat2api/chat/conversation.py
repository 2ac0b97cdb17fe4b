"""What a client may say, narrowed to one form. Pure values; every dialect parses to these.

`Conversation` is what goes to a provider. It knows nothing of JSON spellings or HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by URL (http, https or data)."""

    url: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A document by URL or data URL, or by an id of our own file store."""

    url: str | None = None
    file_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the assistant made earlier; `arguments` is a JSON text."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    text: str


Part = Text | Image | File | Reasoning | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]
    name: str | None = None

    @property
    def text(self) -> str:
        """The text parts, joined as the public API joins them: with nothing between."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A function the model may call; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the answer must end. Enforced by us where the upstream cannot."""

    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """A place in a conversation the upstream keeps, to continue from."""

    conversation_id: str
    parent_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One turn asked of a model.

    `model` is the name as the caller spelled it ("auto" when none was given).
    `keep_history`: None leaves it to the setting, True asks the upstream to keep the conversation.
    `workspace_id` overrides the account's workspace.
    `tool_choice`: "auto", "none", "required", or `tool:NAME` for one of `tools`.
    """

    model: str
    messages: tuple[Message, ...]
    limits: Limits = Limits()
    reply_to: ReplyTo | None = None
    keep_history: bool | None = None
    reasoning_effort: str | None = None
    workspace_id: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    user: str | None = None
