"""A conversation as the body of a turn on the Codex backend. Pure.

Only fields that the backend is known to take are ever sent: it refuses a turn for any other. What it has no
field for (sampling, limits) is either done by this server or told to the caller as ignored.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat2api.chat.conversation import Conversation, JsonOutput
from chat2api.errors import RequestError, Unsupported
from chat2api.providers.codex.items import input_items, split_instructions
from chat2api.providers.codex.models import Target
from chat2api.providers.codex.sealing import unseal
from chat2api.providers.codex.tools import tool_fields, tool_names

Json = dict[str, Any]

# Never empty: on some days that is refused. Never anything that changes: the upstream's cache hangs on it.
DEFAULT_INSTRUCTIONS = "You are a helpful assistant."

_VERBOSITIES = frozenset({"low", "medium", "high"})
_SUMMARIES = frozenset({"auto", "concise", "detailed"})
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_FORMAT_NAME = 64
_FORMAT_NAME = "response"
_JSON_HINT = "Answer with a JSON object."


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn ready to be sent. `meant` are the caller's names of tools by those that were sent; `session`
    stays the same throughout a conversation; `reminded`: earlier reasoning is in it."""

    body: Json
    meant: Mapping[str, str]
    session: str
    reminded: bool = False


def build_turn(
    conversation: Conversation,
    target: Target,
    owner: str,
    *,
    instructions: str = DEFAULT_INSTRUCTIONS,
    summary: str = "auto",
    remind: bool = True,
) -> Turn:
    """`owner` marks whose earlier reasoning may be sent, and `remind` tells whether any is.

    `instructions` stand where the caller gives none; `summary` of the reasoning: auto, concise, detailed, or
    empty for none. Raises Unsupported for what this upstream cannot do, RequestError for an empty turn.
    """
    if conversation.reply_to is not None:
        raise Unsupported(
            "This upstream keeps no conversations that could go on.", param="conversation_id"
        )
    names = tool_names(conversation)
    told, rest = split_instructions(conversation.messages)
    items = input_items(rest, names, lambda sealed: unseal(sealed, owner) if remind else None)
    if not items:
        raise RequestError("There is nothing to answer.", param="messages")
    if conversation.output is not None and conversation.output.schema is None:
        items = _speaking_of_json(items)
    session = _session(conversation, told, items)
    body: Json = {
        "model": target.slug,
        "instructions": told or instructions,
        "input": items,
        **tool_fields(conversation, names),
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": session,
    }
    reasoning, text = _reasoning(target, summary), _text(conversation, target)
    if reasoning:
        body["reasoning"] = reasoning
    if text:
        body["text"] = text
    reminded = any(item["type"] == "reasoning" for item in items)
    return Turn(body, names.meant, session, reminded)


def _reasoning(target: Target, summary: str) -> Json:
    wanted: Json = {}
    if target.effort is not None:
        wanted["effort"] = target.effort
    can_tell = target.model is None or target.model.summaries is not False
    if summary in _SUMMARIES and can_tell:
        wanted["summary"] = summary
    return wanted


def _text(conversation: Conversation, target: Target) -> Json:
    wanted: Json = {}
    verbosity = conversation.sampling.verbosity
    can_vary = target.model is None or target.model.verbosity is not False
    if verbosity in _VERBOSITIES and can_vary:
        wanted["verbosity"] = verbosity
    if conversation.output is not None:
        wanted["format"] = _format(conversation.output)
    return wanted


def _format(output: JsonOutput) -> Json:
    if output.schema is None:
        return {"type": "json_object"}
    name = _ODD.sub("_", output.name)[:_LONGEST_FORMAT_NAME]
    described = {"description": output.description} if output.description else {}
    return {
        "type": "json_schema",
        "name": name or _FORMAT_NAME,
        **described,
        "schema": output.schema,
        "strict": output.strict,
    }


def _speaking_of_json(items: list[Json]) -> list[Json]:
    """The upstream insists that somebody speaks of JSON, and not in the instructions only."""
    for item in items:
        content = item.get("content")
        for part in content if isinstance(content, list) else ():
            if "json" in part.get("text", "").lower():
                return items
    hint = {"type": "input_text", "text": _JSON_HINT}
    return [{"type": "message", "role": "developer", "content": [hint]}, *items]


def _session(conversation: Conversation, instructions: str, items: list[Json]) -> str:
    """A UUID by how the conversation begins, so that its later turns find the upstream's cache."""
    opening = next((item for item in items if item.get("role") == "user"), items[0])
    digest = hashlib.sha256()
    for text in (conversation.user or "", conversation.model, instructions):
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    digest.update(_as_bytes(opening))
    return str(uuid.UUID(bytes=digest.digest()[:16]))


def _as_bytes(item: Json) -> bytes:
    try:
        return orjson.dumps(item)
    except orjson.JSONEncodeError:  # half a character; sending it is refused later, as it must be
        return repr(item).encode("utf-8", "backslashreplace")
