"""A Messages request: the JSON body to an `Ask`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from chat2api.chat.conversation import Conversation, JsonOutput, Limits, Sampling
from chat2api.dialects.anthropic_content import parse_messages, parse_system
from chat2api.dialects.anthropic_errors import THREAD
from chat2api.dialects.anthropic_tools import parse_choice, parse_tools
from chat2api.dialects.protocol import Ask
from chat2api.dialects.validation import Name, Wire, check, choose
from chat2api.errors import Unsupported

MESSAGES_LIMIT = 100_000
STOPS_LIMIT = 64
TOOLS_LIMIT = 1_024

THINKING = "thinking"
"""The key of `Ask.echo` under which stands whether thinking is to be told."""

_UNUSED = ("top_k", "mcp_servers", "context_management", "container")

_LONGEST_USER = 64

# The budgets of thinking tokens, and the effort that each is at most.
_EFFORTS = ((0, "none"), (512, "minimal"), (1_024, "low"), (8_192, "medium"), (24_576, "high"))
_MOST_EFFORT = "xhigh"

Stop = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(ge=1)]


class _Metadata(Wire):
    user_id: Annotated[str, StringConstraints(max_length=1_024)] | None = None


class _Format(Wire):
    schema_: dict[str, Any] = Field(validation_alias="schema")


class _OutputConfig(Wire):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: dict[str, Any] | None = None


class _Thinking(Wire):
    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: Annotated[int, Field(ge=0)] | None = None
    display: str | None = None


class _Prompt(Wire):
    """The fields that say what is asked, and those with a documented range. Others are ignored."""

    model: Name | None = None
    messages: Annotated[list[Any], Field(min_length=1, max_length=MESSAGES_LIMIT)]
    system: Any = None
    tools: Annotated[list[Any], Field(max_length=TOOLS_LIMIT)] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: dict[str, Any] | None = None


class _Request(_Prompt):
    max_tokens: PositiveInt
    stream: bool | None = None
    stop_sequences: Annotated[list[Stop], Field(max_length=STOPS_LIMIT)] | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    metadata: _Metadata | None = None


def parse_request(body: Mapping[str, Any]) -> Ask:
    """Raises RequestError or MissingParameter with the path of the first thing that is wrong, and
    Unsupported for a conversation that is to be kept."""
    if body.get(THREAD):
        raise Unsupported(
            "Conversations are not kept here: send all messages, without 'thread'.", param=THREAD
        )
    wire = check(_Request, body)
    limits = Limits(wire.max_tokens, tuple(wire.stop_sequences or ()))
    sampling = Sampling(temperature=wire.temperature, top_p=wire.top_p)
    user = _user(wire.metadata)
    conversation, ignored = _conversation(wire, limits, sampling, user)
    unused = [name for name in _UNUSED if body.get(name) not in (None, [], {})]
    return Ask(
        conversation,
        stream=bool(wire.stream),
        include_usage=True,
        echo={THINKING: _tells_thinking(wire.thinking)},
        ignored=(*unused, *ignored),
    )


def parse_prompt(body: Mapping[str, Any]) -> Conversation:
    """What is asked alone, for counting its tokens. Raises as `parse_request` does."""
    return _conversation(check(_Prompt, body))[0]


def _conversation(
    wire: _Prompt,
    limits: Limits = Limits(),  # noqa: B008 - a frozen value
    sampling: Sampling = Sampling(),  # noqa: B008
    user: str | None = None,
) -> tuple[Conversation, tuple[str, ...]]:
    """The turn, and what of it nobody here has a use for."""
    tools = parse_tools(wire.tools)
    choice, parallel = parse_choice(wire.tool_choice, tools)
    conversation = Conversation(
        model=wire.model or "auto",
        messages=(*parse_system(wire.system), *parse_messages(wire.messages)),
        limits=limits,
        reasoning_effort=_effort(wire),
        tools=tools.specs,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        builtins=tools.builtins,
        output=_output(wire),
        sampling=sampling,
        user=user,
    )
    return conversation, tools.ignored


def _user(metadata: _Metadata | None) -> str | None:
    """Names longer than upstreams take are told apart by their hash; Claude Code's are."""
    name = metadata.user_id if metadata is not None else None
    if name is None or len(name) <= _LONGEST_USER:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _tells_thinking(thinking: _Thinking | None) -> bool:
    """Callers that did not ask for thinking take the first block for the answer."""
    return thinking is not None and thinking.type != "disabled" and thinking.display != "omitted"


def _effort(wire: _Prompt) -> str | None:
    """As it is said, else by the budget of thinking; None leaves it to the upstream."""
    if wire.output_config is not None and wire.output_config.effort is not None:
        return wire.output_config.effort
    thinking = wire.thinking
    if thinking is None or thinking.type != "enabled" or thinking.budget_tokens is None:
        return None
    budget = thinking.budget_tokens
    return next((effort for most, effort in _EFFORTS if budget <= most), _MOST_EFFORT)


def _output(wire: _Prompt) -> JsonOutput | None:
    """From where it is said today, or where it was first."""
    asked, path = wire.output_format, "output_format"
    if wire.output_config is not None and wire.output_config.format is not None:
        asked, path = wire.output_config.format, "output_config.format"
    if asked is None:
        return None
    choose({"json_schema": None}, "type", asked, path)
    return JsonOutput(check(_Format, asked, path).schema_, strict=True)
