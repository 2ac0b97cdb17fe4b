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
    """What the model thought earlier. `encrypted` is the rest of it, sealed by the provider that told it
    (`ReasoningDelta.encrypted`); `text` may be empty beside it."""

    text: str
    encrypted: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the assistant made earlier; `arguments` is a JSON text, or any text for a `custom` tool."""

    call_id: str
    name: str
    arguments: str
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the caller's tool gave for a call. `is_error` says that the tool failed."""

    call_id: str
    text: str
    images: tuple[Image, ...] = ()
    is_error: bool = False


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
    """A tool the model may call; `parameters` is a JSON Schema for a JSON object of arguments.

    A `custom` tool takes any text instead; `format` is how the Responses API describes that text
    (`{"type": "text"}`, or `{"type": "grammar", "syntax": …, "definition": …}`), None when nothing was said.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    strict: bool = False
    custom: bool = False
    format: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether tools may (`auto`), must (`required`) or must not (`none`) be called.

    `only` narrows the tools to these names; `required` with one name is the choice of that very tool.
    """

    mode: Literal["auto", "none", "required"] = "auto"
    only: tuple[str, ...] = ()

    def allowed(self, tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
        """The tools that may be called."""
        if self.mode == "none":
            return ()
        return tuple(tool for tool in tools if tool.name in self.only) if self.only else tools


@dataclass(frozen=True, slots=True)
class Builtin:
    """A tool that the upstream itself has; `options` as the caller spelled them."""

    kind: Literal["web_search", "image_generation"]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class JsonOutput:
    """The answer must be JSON: any object, or what `schema` (a JSON Schema) describes."""

    schema: dict[str, Any] | None = None
    name: str = ""
    description: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model picks its words. Upstreams that have no such knobs leave these out."""

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    logit_bias: dict[str, float] | None = None
    verbosity: str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the knobs that the caller set."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is not None)


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
    `output`: None leaves the form of the answer to the model.
    """

    model: str
    messages: tuple[Message, ...]
    limits: Limits = Limits()
    reply_to: ReplyTo | None = None
    keep_history: bool | None = None
    reasoning_effort: str | None = None
    workspace_id: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    parallel_tool_calls: bool = True
    builtins: tuple[Builtin, ...] = ()
    output: JsonOutput | None = None
    sampling: Sampling = Sampling()
    user: str | None = None
