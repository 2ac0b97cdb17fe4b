"""Reads a stored conversation (`GET conversation/{id}`) back to the messages of one turn (sheet 4.7). Pure."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from chat2api.providers.chatgpt.messages import Json, mapping_of, role_of, text_of

_IDLE_STATUSES = (None, 4)  # nothing to do; finished and not read yet


def turn_messages(document: Json, own_ids: Container[str]) -> list[Json]:
    """The messages after the newest of ours on the way to the current node, oldest first.

    Where none of `own_ids` lies on the way, the newest message of a user takes its place.
    """
    mapping = mapping_of(document.get("mapping"))
    found: list[Json] = []
    seen: set[str] = set()
    node_id = text_of(document.get("current_node"))
    while node_id and node_id not in seen:
        seen.add(node_id)
        node = mapping_of(mapping.get(node_id))
        message = mapping_of(node.get("message"))
        if message:
            if node_id in own_ids or text_of(message.get("id")) in own_ids:
                break
            found.append(message)
        node_id = text_of(node.get("parent"))
    else:
        found = _after_last_user(found)
    found.reverse()
    return found


def is_running(async_status: Any) -> bool:
    """Whether work goes on, from `async_status` as number or word (sheet 4.7, 5.10)."""
    if isinstance(async_status, str):
        if async_status.isdecimal():
            return int(async_status[:9]) not in _IDLE_STATUSES
        return async_status == "IS_STREAMING"
    return async_status not in _IDLE_STATUSES


def _after_last_user(newest_first: list[Json]) -> list[Json]:
    for index, message in enumerate(newest_first):
        if role_of(message) == "user":
            return newest_first[:index]
    return newest_first
