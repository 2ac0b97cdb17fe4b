"""A conversation as the body of a chat completion, in the words that most servers understand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chat2api.chat.conversation import (
    Conversation,
    File,
    Image,
    JsonOutput,
    Message,
    Part,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)
from chat2api.errors import Unsupported

Json = dict[str, Any]

_AUDIO = "data:audio/"
_BASE64 = ";base64,"


@dataclass(frozen=True, slots=True)
class Wording:
    """What a server is known to want otherwise. The official API alone insists on the newer name of the
    token limit; a few servers refuse `stream_options`."""

    new_token_limit: bool = False
    stream_options: bool = True


def chat_body(conversation: Conversation, wording: Wording) -> Json:
    """The request for a streamed answer. What the caller left open is left out.

    Reasoning of earlier turns is not sent: the official API refuses to be told of it. Raises Unsupported.
    """
    sampling, limits = conversation.sampling, conversation.limits
    limit_name = "max_completion_tokens" if wording.new_token_limit else "max_tokens"
    given = {
        limit_name: limits.max_tokens,
        "stop": list(limits.stop) or None,
        "reasoning_effort": conversation.reasoning_effort,
        "user": conversation.user,
        "response_format": _response_format(conversation.output),
        "stream_options": {"include_usage": True} if wording.stream_options else None,
        **{name: getattr(sampling, name) for name in sampling.given},
    }
    return {
        "model": conversation.model,
        "messages": list(_messages(conversation.messages)),
        "stream": True,
        **{name: value for name, value in given.items() if value is not None},
        **_tool_fields(conversation),
    }


# --- tools and formats


def _tool_fields(conversation: Conversation) -> Json:
    choice = conversation.tool_choice
    # Of allowed tools only those are sent: servers that know no `allowed_tools` keep to it all the same.
    tools = conversation.tools if choice.mode == "none" else choice.allowed(conversation.tools)
    if not tools:
        return {}
    fields: Json = {"tools": [_tool(tool) for tool in tools]}
    if choice.mode == "required" and len(choice.only) == 1:
        fields["tool_choice"] = _named(tools[0])
    elif choice.mode != "auto":
        fields["tool_choice"] = choice.mode
    if not conversation.parallel_tool_calls:
        fields["parallel_tool_calls"] = False
    return fields


def _tool(tool: ToolSpec) -> Json:
    described = {"description": tool.description} if tool.description else {}
    if tool.custom:
        form = {} if tool.format is None else {"format": _format(tool.format)}
        return {"type": "custom", "custom": {"name": tool.name, **described, **form}}
    strict = {"strict": True} if tool.strict else {}
    function = {"name": tool.name, **described, "parameters": tool.parameters, **strict}
    return {"type": "function", "function": function}


def _format(form: Json) -> Json:
    if form.get("type") != "grammar":
        return form
    grammar = {name: form[name] for name in ("syntax", "definition") if name in form}
    return {"type": "grammar", "grammar": grammar}


def _named(tool: ToolSpec) -> Json:
    kind = "custom" if tool.custom else "function"
    return {"type": kind, kind: {"name": tool.name}}


def _response_format(output: JsonOutput | None) -> Json | None:
    if output is None:
        return None
    if output.schema is None:
        return {"type": "json_object"}
    schema: Json = {"name": output.name or "answer", "schema": output.schema}
    if output.description:
        schema["description"] = output.description
    if output.strict:
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}


# --- messages


def _messages(messages: tuple[Message, ...]) -> Iterator[Json]:
    """One after the other. Pictures that tools gave follow when all tools have answered: a tool's own
    message holds text only, and nobody may speak between the answers."""
    pictures: list[Json] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if pictures and not results:
            yield {"role": "user", "content": pictures}
            pictures = []
        for result in results:
            yield {"role": "tool", "tool_call_id": result.call_id, "content": result.text}
            if result.images:
                pictures.append(_text(f"What the tool call {result.call_id} gave:"))
                pictures += [_image(image) for image in result.images]
        if others or not results:
            content = [*pictures] if message.role in ("user", "tool") else []
            pictures = pictures if message.role not in ("user", "tool") else []
            yield _message(message, others, content)
    if pictures:
        yield {"role": "user", "content": pictures}


def _message(message: Message, parts: Sequence[Part], before: list[Json]) -> Json:
    role = "user" if message.role == "tool" else message.role
    named = {"name": message.name} if message.name and message.role != "tool" else {}
    content = before + [
        described for part in parts if (described := _content(part, role)) is not None
    ]
    calls = [_call(part) for part in parts if isinstance(part, ToolCall)]
    plain: Any = content
    if len(content) == 1 and content[0]["type"] == "text":
        plain = content[0]["text"]
    elif not content:
        plain = None if calls else ""
    return {
        "role": role,
        **named,
        "content": plain,
        **({"tool_calls": calls} if calls else {}),
    }


def _content(part: Part, role: str) -> Json | None:
    match part:
        case Text(text):
            return _text(text)
        case Image() if role == "user":
            return _image(part)
        case File() if role == "user":
            return _file(part)
        case _:
            return None


def _call(call: ToolCall) -> Json:
    if call.custom:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.call_id, "type": "custom", "custom": custom}
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.call_id, "type": "function", "function": function}


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _image(image: Image) -> Json:
    detail = {"detail": image.detail} if image.detail else {}
    return {"type": "image_url", "image_url": {"url": image.url, **detail}}


def _file(file: File) -> Json:
    url = file.url or ""
    if url.startswith(_AUDIO) and _BASE64 in url:
        kind, _, data = url.removeprefix(_AUDIO).partition(_BASE64)
        return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}
    if not file.file_id and url.startswith(("http:", "https:")):
        raise Unsupported("This upstream takes files as data only, not by address.")
    fields = {"file_id": file.file_id, "file_data": file.url, "filename": file.name}
    return {"type": "file", "file": {name: value for name, value in fields.items() if value}}
