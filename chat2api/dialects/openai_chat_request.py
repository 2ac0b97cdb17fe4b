"""A chat completion request: the JSON body to an `Ask`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints

from chat2api.chat.conversation import Conversation, Limits, ReplyTo
from chat2api.dialects.openai_messages import parse_messages
from chat2api.dialects.openai_tools import parse_choice, parse_tools
from chat2api.dialects.protocol import Ask
from chat2api.dialects.validation import Id, Name, Wire, check, choose

MESSAGES_LIMIT = 10_000
CHOICES_LIMIT = 8
STOPS_LIMIT = 16
TOOLS_LIMIT = 1_024


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _present(value: object) -> object:
    """Clients that keep ids in a form field send it empty on the first turn."""
    return None if value == "" else value


Stop = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
Stops = Annotated[list[Stop], BeforeValidator(_listed), Field(max_length=STOPS_LIMIT)]
PositiveInt = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
OptionalId = Annotated[Id | None, BeforeValidator(_present)]


class _StreamOptions(Wire):
    include_usage: bool | None = None


class _JsonSchema(Wire):
    name: Id
    schema_: dict[str, Any] | None = Field(None, validation_alias="schema")
    strict: bool | None = None


class _JsonSchemaFormat(Wire):
    json_schema: _JsonSchema


class _BareFormat(Wire):
    """A format that is its type and nothing more."""


class _ChatRequest(Wire):
    """The fields that are used or have a documented range. Every other field is ignored."""

    model: Name | None = None
    messages: Annotated[list[Any], Field(min_length=1, max_length=MESSAGES_LIMIT)]

    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=CHOICES_LIMIT)] | None = None
    max_tokens: PositiveInt | None = None
    max_completion_tokens: PositiveInt | None = None
    stop: Stops | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    user: Name | None = None

    tools: Annotated[list[Any], Field(max_length=TOOLS_LIMIT)] | None = None
    tool_choice: Any = None
    functions: Annotated[list[Any], Field(max_length=TOOLS_LIMIT)] | None = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None

    # No web upstream takes these; a wrong value is still the caller's mistake to hear about.
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: int | None = None
    logit_bias: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    parallel_tool_calls: bool | None = None

    # Ours (sheet 6.2): a conversation that the upstream keeps, and whose account it lives in.
    history_disabled: bool | None = None
    conversation_id: OptionalId = None
    parent_message_id: OptionalId = None
    workspace_id: OptionalId = Field(
        None,
        validation_alias=AliasChoices(
            "chatgpt_account_id", "Chatgpt-Account-Id", "ChatGPT-Account-ID"
        ),
    )


def parse_request(body: Mapping[str, Any]) -> Ask:
    """Raises RequestError or MissingParameter with the path of the first thing that is wrong."""
    wire = check(_ChatRequest, body)
    if wire.response_format is not None:
        _check_format(wire.response_format)
    return Ask(
        conversation=_conversation(wire),
        stream=bool(wire.stream),
        choices=wire.n or 1,
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
    )


def _conversation(wire: _ChatRequest) -> Conversation:
    tools = parse_tools(wire.tools, wire.functions)
    if wire.tool_choice is None and wire.function_call is not None:
        tool_choice = parse_choice(wire.function_call, tools, "function_call")
    else:
        tool_choice = parse_choice(wire.tool_choice, tools)
    return Conversation(
        model=wire.model or "auto",
        messages=parse_messages(wire.messages),
        limits=Limits(wire.max_completion_tokens or wire.max_tokens, tuple(wire.stop or ())),
        reply_to=_reply_to(wire),
        keep_history=None if wire.history_disabled is None else not wire.history_disabled,
        reasoning_effort=wire.reasoning_effort,
        workspace_id=wire.workspace_id,
        tools=tools,
        tool_choice=tool_choice,
        user=wire.user,
    )


def _reply_to(wire: _ChatRequest) -> ReplyTo | None:
    """A parent alone continues nothing: clients of the web backend invent one for a new conversation."""
    if wire.conversation_id is None:
        return None
    return ReplyTo(wire.conversation_id, wire.parent_message_id)


def _check_format(value: dict[str, Any]) -> None:
    formats: dict[str, type[Wire]] = {
        "text": _BareFormat,
        "json_object": _BareFormat,
        "json_schema": _JsonSchemaFormat,
    }
    check(choose(formats, "type", value, "response_format"), value, "response_format")
