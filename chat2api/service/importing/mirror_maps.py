"""JSON files of lanqian/chat2api about the users of its mirror: seeds and conversations. Pure."""

from __future__ import annotations

import math
import re
from typing import Any
from urllib.parse import unquote

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.service.importing.content import json_object, text_of, whole_or_nothing
from chat2api.service.importing.fields import NOT_AN_ENTRY, first_of, id_of, label_of, token_of
from chat2api.service.importing.found import (
    Found,
    FoundConversation,
    FoundSeed,
    Skipped,
    joined,
    nothing,
)
from chat2api.service.importing.logins import login_of

LONGEST_SEED = 128
NOT_A_SEED = "not a seed"
BAD_BINDING = "what it is bound to is not a token; it was taken without an account"
BAD_CONVERSATION = "has malformed conversation ids, which were left out"

# `clear` is a command where seeds are given, so no user can have it as a name.
_RESERVED = "clear"
_LONGEST_FACT = 2_000
_MOST_FACTS = 40
_LARGEST_NUMBER = 2**53
_SHA256 = re.compile(r"[0-9a-f]{64}")


@whole_or_nothing
def read_seed_map(content: bytes, where: str) -> Found:
    """`{seed: {"token", "conversations": [newest first], "user_id"}}`."""
    entries = json_object(text_of(content)).items()
    return joined(
        _seed(key, value, f"{where} entry {number}")
        for number, (key, value) in enumerate(entries, start=1)
    )


@whole_or_nothing
def read_conversation_map(content: bytes, where: str) -> Found:
    """`{conversation id: {"title", "create_time", "update_time", …}}`."""
    entries = json_object(text_of(content)).items()
    return joined(
        _conversation(key, value, f"{where} entry {number}")
        for number, (key, value) in enumerate(entries, start=1)
    )


def seed_of(value: Any) -> Secret | None:
    """What a user enters the mirror with; None for what cannot be one."""
    text = _decoded(value.strip()) if isinstance(value, str) else ""
    is_fine = 0 < len(text) <= LONGEST_SEED and text.isprintable() and text.lower() != _RESERVED
    return Secret(text) if is_fine else None


def bound_account(value: Any, *, email: str = "") -> tuple[NewAccount | None, bool]:
    """The account a seed is bound to, and whether nothing is wrong with the field (it may be empty)."""
    if value is None or value == "":
        return None, True
    token = token_of(value)
    return (login_of(token, email=email, pooled=False), True) if token else (None, False)


def _decoded(text: str) -> str:
    plain = unquote(text)
    return text if "�" in plain else plain


def _seed(key: str, value: Any, where: str) -> Found:
    if not isinstance(value, dict):
        return nothing(where, NOT_AN_ENTRY)
    managed = value.get("managed") is True
    digest = key if managed and _SHA256.fullmatch(key) else None
    seed = None if digest else seed_of(key)
    if seed is None and digest is None:
        return nothing(where, NOT_A_SEED)
    account, is_bound_well = bound_account(value.get("token"))
    conversations, are_fine = _conversation_ids(value.get("conversations"))
    user_id = label_of(first_of(value, "user_id"), LONGEST_SEED)
    found = FoundSeed(seed, digest, account, user_id, conversations, managed, where)
    trouble = [
        reason
        for reason, fine in ((BAD_BINDING, is_bound_well), (BAD_CONVERSATION, are_fine))
        if not fine
    ]
    return Found(seeds=(found,), skipped=tuple(Skipped(where, reason) for reason in trouble))


def _conversation_ids(value: Any) -> tuple[tuple[str, ...], bool]:
    """Distinct ids in the order given, and whether all of them were ids."""
    if value is None:
        return (), True
    if not isinstance(value, list):
        return (), False
    ids = [id_of(item) for item in value]
    return tuple(dict.fromkeys(name for name in ids if name)), None not in ids


def _conversation(key: str, value: Any, where: str) -> Found:
    conversation_id = id_of(key)
    if conversation_id is None or not isinstance(value, dict):
        return nothing(where, NOT_AN_ENTRY)
    return Found(conversations=(FoundConversation(conversation_id, _facts(value), where),))


def _facts(entry: dict[str, Any]) -> dict[str, Any]:
    """Flat values only, without the id, and as much of them as a list of conversations needs."""
    facts = {
        label_of(name, 64): _fact(value)
        for name, value in entry.items()
        if name != "id" and _is_flat(value)
    }
    facts.pop("", None)
    return dict(list(facts.items())[:_MOST_FACTS])


def _is_flat(value: Any) -> bool:
    if isinstance(value, int | float):
        return math.isfinite(value) and abs(value) <= _LARGEST_NUMBER
    return value is None or isinstance(value, str)


def _fact(value: Any) -> Any:
    """Text without halves of surrogate pairs, which no database stores."""
    if not isinstance(value, str):
        return value
    return value[:_LONGEST_FACT].encode("utf-8", "replace").decode().replace("\0", "")
