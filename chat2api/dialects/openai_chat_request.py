"""A chat completion request: the JSON body to an `Ask`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, StringConstraints

from chat2api.chat.conversation import (
    Builtin,
    Conversation,
    JsonOutput,
    Limits,
    ReplyTo,
    Sampling,
)
from chat2api.dialects.openai_messages import parse_messages
from chat2api.dialects.openai_tools import Toolset, parse_choice, parse_tools
from chat2api.dialects.protocol import Ask
from chat2api.dialects.validation import Id, Name, Wire, check, choose
from chat2api.errors import Unsupported

MESSAGES_LIMIT = 10_000
CHOICES_LIMIT = 8
STOPS_LIMIT = 16
TOOLS_LIMIT = 1_024
IGNORED_LIMIT = 32
"""More names of ignored parameters than this are not told: they travel in a header."""

_FIELD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _present(value: object) -> object:
    """Clients that keep ids in a form field send it empty on the first turn."""
    return None if value == "" else value


Stop = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
Stops = Annotated[list[Stop], BeforeValidator(_listed), Field(max_length=STOPS_LIMIT)]
PositiveInt = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
OptionalId = Annotated[Id | None, BeforeValidator(_present)]


class _StreamOptions(Wire):
    include_usage: bool | None = None


class _JsonSchema(Wire):
    name: Id
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, validation_alias="schema")
    strict: bool | None = None


class _JsonSchemaFormat(Wire):
    json_schema: _JsonSchema


class _ChatRequest(Wire):
    """The fields that are used or have a documented range. Every other field is told as ignored."""

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

    parallel_tool_calls: bool | None = None
    web_search_options: dict[str, Any] | None = None

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: int | None = None
    logit_bias: dict[str, Bias] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None

    # Nothing of ours takes these; a wrong value is still the caller's mistake to hear about.
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    modalities: list[Any] | None = None
    service_tier: Name | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None

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
    if "audio" in (wire.modalities or ()):
        raise Unsupported("Invalid 'modalities': answers are text only.", param="modalities")
    toolset = parse_tools(wire.tools, wire.functions)
    return Ask(
        conversation=_conversation(wire, toolset),
        stream=bool(wire.stream),
        choices=wire.n or 1,
        include_usage=bool(wire.stream_options and wire.stream_options.include_usage),
        legacy_functions=_is_legacy(wire),
        ignored=(*_ignored(wire, body), *toolset.ignored)[:IGNORED_LIMIT],
    )


def _conversation(wire: _ChatRequest, toolset: Toolset) -> Conversation:
    if wire.tool_choice is None and wire.function_call is not None:
        tool_choice = parse_choice(wire.function_call, toolset, "function_call")
    else:
        tool_choice = parse_choice(wire.tool_choice, toolset)
    return Conversation(
        model=wire.model or "auto",
        messages=parse_messages(wire.messages, continues=wire.conversation_id is not None),
        limits=Limits(wire.max_completion_tokens or wire.max_tokens, tuple(wire.stop or ())),
        reply_to=_reply_to(wire),
        keep_history=None if wire.history_disabled is None else not wire.history_disabled,
        reasoning_effort=wire.reasoning_effort,
        workspace_id=wire.workspace_id,
        tools=toolset.specs,
        tool_choice=tool_choice,
        # The legacy answer has room for one call.
        parallel_tool_calls=wire.parallel_tool_calls is not False and not _is_legacy(wire),
        builtins=_builtins(wire, toolset),
        output=None if wire.response_format is None else _output(wire.response_format),
        sampling=Sampling(
            wire.temperature,
            wire.top_p,
            wire.frequency_penalty,
            wire.presence_penalty,
            wire.seed,
            wire.logit_bias or None,
            wire.verbosity,
        ),
        user=wire.user,
    )


def _is_legacy(wire: _ChatRequest) -> bool:
    return bool(wire.functions) and not wire.tools


def _builtins(wire: _ChatRequest, toolset: Toolset) -> tuple[Builtin, ...]:
    if toolset.builtins or wire.web_search_options is None:
        return toolset.builtins
    return (Builtin("web_search", wire.web_search_options),)


def _reply_to(wire: _ChatRequest) -> ReplyTo | None:
    """A parent alone continues nothing: clients of the web backend invent one for a new conversation."""
    if wire.conversation_id is None:
        return None
    return ReplyTo(wire.conversation_id, wire.parent_message_id)


def _output(value: dict[str, Any]) -> JsonOutput | None:
    match choose(_FORMATS, "type", value, "response_format"):
        case "text":
            return None
        case "json_object":
            return JsonOutput()
        case "json_schema":
            wanted = check(_JsonSchemaFormat, value, "response_format").json_schema
            return JsonOutput(
                wanted.schema_, wanted.name, wanted.description or "", bool(wanted.strict)
            )


_FORMATS: Mapping[str, Literal["text", "json_object", "json_schema"]] = {
    "text": "text",
    "json_object": "json_object",
    "json_schema": "json_schema",
}


def _ignored(wire: _ChatRequest, body: Mapping[str, Any]) -> list[str]:
    """Parameters that would change the answer if anybody took them, by the caller's spelling."""
    names = [name for name in ("logprobs", "top_logprobs") if getattr(wire, name)]
    if wire.service_tier not in (None, "auto", "default"):
        names.append("service_tier")
    names.extend(
        name
        for name, value in body.items()
        if name not in _KNOWN and value is not None and _FIELD.fullmatch(name)
    )
    return names


def _spellings(model: type[Wire]) -> frozenset[str]:
    """The names by which a request may give the fields of `model`."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        names.update(map(str, alias.choices) if isinstance(alias, AliasChoices) else (name,))
    return frozenset(names)


_KNOWN = _spellings(_ChatRequest)
