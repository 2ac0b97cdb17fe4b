"""The body of a request to the Codex backend: what is refused, and what the mind is told. Raises Refusal."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any

from chat2api.simulator.codex import catalog, tooling
from chat2api.simulator.codex.catalog import Model
from chat2api.simulator.codex.said import hear
from chat2api.simulator.codex.tooling import Choice, Offer
from chat2api.simulator.codex.wrong import gate, invalid, missing
from chat2api.simulator.documents import Json
from chat2api.simulator.mind.situation import Line, Situation

_NAMES = """
model instructions input tools tool_choice parallel_tool_calls reasoning store stream include service_tier
prompt_cache_key text client_metadata
"""
_FIELDS = frozenset(_NAMES.split())
_SEALED = "reasoning.encrypted_content"
_LONGEST_KEY = 64
_DATA = re.compile(r'"data:[^"]{100,}"')


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose request it is: the account that reasoning is sealed for, its plan, and what is asked of it."""

    owner: str
    plan: str
    paid: bool
    needs_instructions: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `summary` and `effort` are as sent or as the model has them; `parts` are the pieces
    of the prompt, for the cache."""

    model: Model
    situation: Situation
    offer: Offer
    effort: str | None
    summary: str | None
    wants_sealed: bool
    cache_key: str | None
    parts: tuple[str, ...]
    body: Json

    @property
    def size(self) -> int:
        """Characters of everything that was said."""
        return sum(len(line.text) for line in self.situation.lines)

    @property
    def prompt(self) -> Line:
        """What the user said last."""
        at = self.situation.last_user
        return self.situation.lines[at] if at >= 0 else Line("user", "")


def parse(body: Json, sender: Sender) -> Asked:
    """The request; raises Refusal."""
    _check_gate(body, sender)
    model = _model(body, sender.plan)
    heard = hear(body.get("input"), sender.owner)
    if heard.has_pictures and not model.sees:
        raise invalid(f"'{model.slug}' does not support image inputs.", "input", "invalid_image")
    offer = tooling.offered(body.get("tools") or [], model, paid=sender.paid)
    choice = tooling.chosen(body.get("tool_choice"), offer)
    effort, summary = _reasoning(body.get("reasoning"), model)
    instructions = body.get("instructions") or ""
    lines = (*([Line("system", instructions)] if instructions else []), *heard.lines)
    wants_json, schema = _text(body.get("text"), heard.lines)
    _check_tier(body.get("service_tier"), model)
    return Asked(
        model,
        _situation(lines, offer, choice, body, wants_json=wants_json, schema=schema),
        offer,
        effort,
        summary,
        _includes_sealed(body.get("include")),
        _cache_key(body.get("prompt_cache_key")),
        (instructions, *map(_part, (body.get("tools") or [], *body["input"]))),
        body,
    )


def _part(value: Any) -> str:
    """One piece of the prompt, without the bytes of pictures and files."""
    return _DATA.sub(lambda found: f'"data:{zlib.crc32(found[0].encode()):08x}"', json.dumps(value))


def _check_gate(body: Json, sender: Sender) -> None:
    for name in body:
        if name not in _FIELDS:
            raise gate(f"Unsupported parameter: {name}")
    if body.get("store") is not False:
        raise gate("Store must be set to false")
    if body.get("stream") is not True:
        raise gate("Stream must be set to true")
    instructions = body.get("instructions")
    if instructions is not None and not isinstance(instructions, str):
        raise gate("Instructions are not valid")
    if sender.needs_instructions and not instructions:
        raise gate("Instructions are required")
    metadata = body.get("client_metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
        raise invalid("Invalid type.", "client_metadata", "invalid_type")


def _model(body: Json, plan: str) -> Model:
    slug = body.get("model")
    if not isinstance(slug, str) or not slug:
        raise missing("model")
    model = catalog.find(slug, plan)
    if model is None:
        text = f"The '{slug}' model is not supported when using Codex with a ChatGPT account."
        raise gate(text)
    return model


def _situation(
    lines: tuple[Line, ...],
    offer: Offer,
    choice: Choice,
    body: Json,
    *,
    wants_json: bool,
    schema: Json | None,
) -> Situation:
    only = choice.only
    allowed = tuple(tool for tool in offer.tools if only is None or tool.name in only)
    is_named = choice.mode == "required" and only is not None and len(allowed) == 1
    return Situation(
        lines,
        () if choice.mode == "none" else allowed,
        must_call=choice.mode == "required" and bool(allowed),
        named=allowed[0].name if is_named else None,
        parallel=body.get("parallel_tool_calls") is not False,
        wants_json=wants_json,
        schema=schema,
    )


def _reasoning(value: Any, model: Model) -> tuple[str | None, str | None]:
    default = model.default if model.efforts else None
    if value is None:
        return default, None
    if not isinstance(value, dict):
        raise invalid("Invalid type for 'reasoning'.", "reasoning", "invalid_type")
    effort, summary = value.get("effort"), value.get("summary")
    if effort is not None and effort not in model.on_the_wire:
        known = ", ".join(f"'{one}'" for one in model.on_the_wire)
        text = f"Unsupported value: '{effort}' is not supported with the '{model.slug}' model. "
        text += f"Supported values are: {known}."
        raise invalid(text, "reasoning.effort", "unsupported_value")
    if summary not in (None, "auto", "concise", "detailed", "none"):
        raise invalid(f"Invalid value: '{summary}'.", "reasoning.summary")
    return effort or default, None if summary == "none" else summary


def _text(value: Any, lines: list[Line]) -> tuple[bool, Json | None]:
    """Whether JSON is wanted, and of which schema."""
    value = {} if value is None else value
    if not isinstance(value, dict):
        raise invalid("Invalid type for 'text'.", "text", "invalid_type")
    if value.get("verbosity") not in (None, "low", "medium", "high"):
        raise invalid(f"Invalid value: '{value['verbosity']}'.", "text.verbosity")
    match value.get("format"):
        case None | {"type": "text"}:
            return False, None
        case {"type": "json_object"}:
            if not any("json" in line.text.lower() for line in lines):
                text = "Response input messages must contain the word 'json' in some form to use "
                text += "'text.format' of type 'json_object'."
                raise invalid(text, "input", None)
            return True, None
        case {"type": "json_schema", "name": str(name), "schema": dict() as schema} as form:
            if form.get("strict") is True and (lacking := tooling.optional(schema)):
                text = f"Invalid schema for response_format '{name}': 'required' must include all "
                text += f"properties. Missing '{lacking[0]}'."
                raise invalid(text, "text.format.schema", "invalid_json_schema")
            return True, schema
        case {"type": "json_schema"} as form:
            is_named = isinstance(form.get("name"), str)
            raise missing(f"text.format.{'schema' if is_named else 'name'}")
    raise invalid("Invalid value for 'text.format'.", "text.format")


def _check_tier(tier: Any, model: Model) -> None:
    if tier is not None and not (tier == "priority" and model.fast):
        raise gate(f"Unsupported service_tier: {tier}")


def _includes_sealed(include: Any) -> bool:
    if include is None:
        return False
    if not isinstance(include, list):
        raise invalid("Invalid type for 'include'.", "include", "invalid_type")
    for at, one in enumerate(include):
        if one != _SEALED:
            raise invalid(f"Invalid value: '{one}'.", f"include[{at}]")
    return bool(include)


def _cache_key(key: Any) -> str | None:
    if key is not None and not isinstance(key, str):
        raise invalid("Invalid type.", "prompt_cache_key", "invalid_type")
    if key is not None and len(key) > _LONGEST_KEY:
        text = "Invalid 'prompt_cache_key': string too long."
        raise invalid(text, "prompt_cache_key", "string_above_max_length")
    return key
