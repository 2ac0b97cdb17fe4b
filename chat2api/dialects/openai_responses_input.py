"""The input items of a Responses request in the one form in which they are kept and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat2api.dialects.openai_responses_items import Expand, Item, kind_of, referenced
from chat2api.dialects.protocol import Ask, Stamp

_LONGEST_ID = 128

_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "web_search_call": "ws",
    "image_generation_call": "ig",
    "compaction": "cmp",
}
_WITH_STATUS = frozenset(
    {
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
    }
)
_MESSAGE_FIELDS = ("id", "status", "role", "phase")
_PART_FIELDS = {
    "refusal": ("type", "refusal"),
    "input_image": ("type", "image_url", "file_id", "detail"),
    "input_file": ("type", "file_id", "filename", "file_data", "file_url"),
    "input_audio": ("type", "input_audio"),
}

INPUT_SIDE, OUTPUT_SIDE = 0, 1


def item_id(kind: str, stamp: Stamp, side: int, place: int) -> str:
    """An id that no other item of any answer has: of the `place`-th item of its side."""
    unique = stamp.answer_id.rpartition("_")[2]
    return f"{_PREFIXES.get(kind, 'item')}_{unique}{side}{place:05x}"


def kept_input(value: object, expand: Expand | None) -> list[dict[str, Any]]:
    """What a request that was read gives as `input`, as items, with references resolved."""
    if isinstance(value, str):
        return [_message({"role": "user", "content": value})]
    items: list[dict[str, Any]] = []
    for index, item in enumerate(value if isinstance(value, list) else ()):
        path = f"input[{index}]"
        match kind_of(item, path):
            case "message":
                items.append(_message(item))
            case "item_reference":
                items.extend(dict(found) for found in referenced(item, path, expand))
            case kind:
                items.append({**item, "type": kind})
    return items


def input_items(ask: Ask, stamp: Stamp) -> list[dict[str, Any]]:
    """The input of this turn, every item with an id that no other has: its own, or one made from the
    answer's. Lists are turned over by them."""
    taken: set[str] = set()
    return [_kept(item, stamp, place, taken) for place, item in enumerate(ask.echo["input"])]


def _kept(item: Mapping[str, Any], stamp: Stamp, place: int, taken: set[str]) -> dict[str, Any]:
    kind, found = item["type"], item.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID or found in taken:
        found = item_id(kind, stamp, INPUT_SIDE, place)
    taken.add(found)
    kept = {**item, "id": found}
    if kind in _WITH_STATUS and kept.get("status") is None:
        kept["status"] = "completed"
    return kept


def _message(item: Item) -> dict[str, Any]:
    content = item["content"]
    text_type = "output_text" if item["role"] == "assistant" else "input_text"
    if isinstance(content, str):
        content = [{"type": text_type, "text": content}]
    fields = {name: item[name] for name in _MESSAGE_FIELDS if item.get(name) is not None}
    return {"type": "message", **fields, "content": [_part(part, text_type) for part in content]}


def _part(part: Item, text_type: str) -> dict[str, Any]:
    """Texts by the name their role has for them, and the fields that every such part has."""
    fields = _PART_FIELDS.get(part["type"])
    if fields is not None:
        kept = {name: part[name] for name in fields if part.get(name) is not None}
        return {"detail": "auto", **kept} if part["type"] == "input_image" else kept
    if text_type == "input_text":
        return {"type": text_type, "text": part["text"]}
    annotations = part.get("annotations")
    return {
        "type": text_type,
        "text": part["text"],
        "annotations": annotations if isinstance(annotations, list) else [],
        "logprobs": [],
    }
