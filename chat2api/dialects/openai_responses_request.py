"""A Responses request: the JSON body to an `Ask`.

`Ask.echo` holds what the `response` object repeats of the request, field by field, and under "input" the
items of this turn in their kept form (`openai_responses_input`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from chat2api.chat.conversation import Conversation, JsonOutput, Limits, Message, Sampling, Text
from chat2api.dialects.openai_responses_input import kept_input
from chat2api.dialects.openai_responses_items import ITEMS_LIMIT, Expand, Item, MessageReader
from chat2api.dialects.openai_responses_tools import (
    TOOLS_LIMIT,
    read_tools,
    told_tools,
    tool_homes,
)
from chat2api.dialects.openai_tools import Toolset, parse_choice
from chat2api.dialects.protocol import Ask
from chat2api.dialects.validation import Id, Name, Wire, check, choose, invalid, wrong_type
from chat2api.errors import MissingParameter, Unsupported

IGNORED_LIMIT = 32
"""More names of ignored parameters than this are not told: they travel in a header."""

METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
"""At most so many pairs, of so many characters."""

_FIELD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def _is_metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > METADATA_PAIRS:
        raise ValueError(f"at most {METADATA_PAIRS} pairs are allowed")
    if any(len(key) > METADATA_KEY for key in value):
        raise ValueError(f"a key has at most {METADATA_KEY} characters")
    if any(len(text) > METADATA_VALUE for text in value.values()):
        raise ValueError(f"a value has at most {METADATA_VALUE} characters")
    return value


PositiveInt = Annotated[int, Field(ge=1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Summary = Literal["auto", "concise", "detailed"]
Verbosity = Literal["low", "medium", "high"]


class _Reasoning(Wire):
    effort: Effort | None = None
    summary: Summary | None = None
    generate_summary: Summary | None = None


class _TextOptions(Wire):
    format: dict[str, Any] | None = None
    verbosity: Verbosity | None = None


class _JsonSchema(Wire):
    name: Id
    description: str | None = None
    schema_: dict[str, Any] = Field(validation_alias="schema")
    strict: bool | None = None


class _StreamOptions(Wire):
    include_obfuscation: bool | None = None


class _Request(Wire):
    """The fields that are used or have a documented range. Every other field is told as ignored."""

    model: Name | None = None
    input: Any = None
    instructions: str | None = None
    previous_response_id: Name | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    include: list[str] | None = None
    metadata: Annotated[dict[str, str], AfterValidator(_is_metadata)] | None = None

    tools: Annotated[list[Any], Field(max_length=TOOLS_LIMIT)] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: PositiveInt | None = None

    text: _TextOptions | None = None
    reasoning: _Reasoning | None = None
    max_output_tokens: PositiveInt | None = None
    truncation: Literal["auto", "disabled"] | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    user: Name | None = None
    safety_identifier: Name | None = None
    prompt_cache_key: Name | None = None
    prompt_cache_retention: Name | None = None
    service_tier: Name | None = None

    # Refused: they name things that are kept elsewhere, or ask for an answer at another time.
    background: bool | None = None
    conversation: Any = None
    prompt: Any = None


def parse_request(
    body: Mapping[str, Any], context: Sequence[Item] = (), expand: Expand | None = None
) -> Ask:
    """Raises RequestError or MissingParameter with the path of the first thing that is wrong.

    `context` are the items, as they are kept, of the turns that `previous_response_id` continues, the
    oldest first. `expand` tells what an `item_reference` or a `compaction` item stands for.
    """
    wire = check(_Request, body)
    _refuse_unsupported(wire)
    toolset = read_tools(wire.tools)
    reader = MessageReader(expand, tool_homes(wire.tools or ()))
    reader.read(context, "previous_response_id")
    _read_input(wire, reader)
    ignored = [*_ignored(wire, body), *toolset.ignored, *reader.ignored]
    return Ask(
        conversation=_conversation(wire, toolset, reader.messages),
        stream=bool(wire.stream),
        include_usage=True,
        echo={**_echo(wire), "input": kept_input(wire.input, expand)},
        ignored=tuple(ignored[:IGNORED_LIMIT]),
    )


def _refuse_unsupported(wire: _Request) -> None:
    if wire.background:
        raise Unsupported(
            "Invalid 'background': answers are given while the caller waits.", param="background"
        )
    if wire.conversation is not None:
        raise Unsupported(
            "Invalid 'conversation': use 'previous_response_id' to continue.", param="conversation"
        )
    if wire.prompt is not None:
        raise Unsupported("Invalid 'prompt': no prompt templates are kept here.", param="prompt")


def _read_input(wire: _Request, reader: MessageReader) -> None:
    given = wire.input
    if isinstance(given, str):
        reader.read([{"role": "user", "content": given}], "input")
    elif isinstance(given, list):
        if len(given) > ITEMS_LIMIT:
            raise invalid("input", f"array too long. Expected at most {ITEMS_LIMIT} items")
        reader.read(given, "input")
    elif given is not None:
        raise wrong_type("input", "a string or an array of objects", given)
    if reader.messages or wire.instructions or wire.previous_response_id:
        return
    if given is None:
        raise MissingParameter(
            "Missing required parameter: one of 'input', 'previous_response_id' and "
            "'instructions' must be given.",
            param="input",
        )
    raise invalid("input", "nothing is said in it. Expected at least 1 item with content")


def _conversation(wire: _Request, toolset: Toolset, messages: tuple[Message, ...]) -> Conversation:
    if wire.instructions:
        messages = (Message("system", (Text(wire.instructions),)), *messages)
    text = wire.text or _TextOptions()
    return Conversation(
        model=wire.model or "auto",
        messages=messages,
        limits=Limits(wire.max_output_tokens),
        reasoning_effort=wire.reasoning.effort if wire.reasoning else None,
        tools=toolset.specs,
        tool_choice=parse_choice(wire.tool_choice, toolset),
        parallel_tool_calls=wire.parallel_tool_calls is not False,
        builtins=toolset.builtins,
        output=None if text.format is None else _output(text.format),
        sampling=Sampling(
            wire.temperature,
            wire.top_p,
            wire.frequency_penalty,
            wire.presence_penalty,
            verbosity=text.verbosity,
        ),
        user=wire.user,
    )


_FORMATS: Mapping[str, Literal["text", "json_object", "json_schema"]] = {
    "text": "text",
    "json_object": "json_object",
    "json_schema": "json_schema",
}


def _output(value: dict[str, Any]) -> JsonOutput | None:
    match choose(_FORMATS, "type", value, "text.format"):
        case "text":
            return None
        case "json_object":
            return JsonOutput()
        case "json_schema":
            wanted = check(_JsonSchema, value, "text.format")
            return JsonOutput(
                wanted.schema_, wanted.name, wanted.description or "", bool(wanted.strict)
            )


def _echo(wire: _Request) -> dict[str, Any]:
    """What the answer repeats, with the public API's defaults where nothing was said."""
    reasoning = wire.reasoning or _Reasoning()
    text = wire.text or _TextOptions()
    return {
        "instructions": wire.instructions,
        "max_output_tokens": wire.max_output_tokens,
        "max_tool_calls": wire.max_tool_calls,
        "metadata": wire.metadata or {},
        "parallel_tool_calls": wire.parallel_tool_calls is not False,
        "previous_response_id": wire.previous_response_id or None,
        "prompt_cache_key": wire.prompt_cache_key,
        "prompt_cache_retention": wire.prompt_cache_retention,
        "reasoning": {
            "effort": reasoning.effort,
            "summary": reasoning.summary or reasoning.generate_summary,
        },
        "safety_identifier": wire.safety_identifier,
        "service_tier": "default",
        "store": wire.store is not False,
        "temperature": 1.0 if wire.temperature is None else wire.temperature,
        "text": {"format": _told_format(text.format), "verbosity": text.verbosity or "medium"},
        "tool_choice": "auto" if wire.tool_choice is None else wire.tool_choice,
        "tools": told_tools(wire.tools),
        "top_logprobs": wire.top_logprobs or 0,
        "top_p": 1.0 if wire.top_p is None else wire.top_p,
        "presence_penalty": wire.presence_penalty or 0.0,
        "frequency_penalty": wire.frequency_penalty or 0.0,
        "truncation": wire.truncation or "disabled",
        "user": wire.user,
    }


def _told_format(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {"type": "text"}
    if value["type"] != "json_schema":
        return {"type": value["type"]}
    return {
        "type": "json_schema",
        "name": value["name"],
        "description": value.get("description"),
        "schema": value["schema"],
        "strict": bool(value.get("strict")),
    }


def _ignored(wire: _Request, body: Mapping[str, Any]) -> list[str]:
    """Parameters that would change the answer if anybody took them, by the caller's spelling."""
    names = [name for name in ("top_logprobs", "max_tool_calls") if getattr(wire, name)]
    if wire.truncation == "auto":
        names.append("truncation")
    if wire.service_tier not in (None, "auto", "default"):
        names.append("service_tier")
    names.extend(
        name
        for name, value in body.items()
        if name not in _Request.model_fields and value is not None and _FIELD.fullmatch(name)
    )
    return names
