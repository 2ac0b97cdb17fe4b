"""Which kind of file it is: by its name if that is a known one, else by its shape. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from chat2api.service.importing.app_yaml import read_app_yaml
from chat2api.service.importing.auth_files import read_auth_file
from chat2api.service.importing.chat_share import read_chat_tokens, read_users
from chat2api.service.importing.content import (
    Reader,
    Unreadable,
    json_documents,
    lines_of,
    text_of,
)
from chat2api.service.importing.fields import label_of, token_of
from chat2api.service.importing.found import Found, gently, nothing
from chat2api.service.importing.json_maps import read_looks, read_refresh_map, read_routing
from chat2api.service.importing.mirror_maps import read_conversation_map, read_seed_map
from chat2api.service.importing.token_lines import read_failed_lines, read_token_lines

UNKNOWN = "not a file this importer knows"

_LOOKED_AT = 50
_APP_YAML = re.compile(r"app\.[a-z0-9_-]+\.ya?ml")
_SLASH = re.compile(r"[/\\]")
_LONGEST_NAME = 255
_YAML_LINE = re.compile(r"^chatgpts[ \t]*:", re.MULTILINE)


class Format(Enum):
    TOKENS = "token.txt"
    FAILED_TOKENS = "error_token.txt"
    REFRESH_MAP = "refresh_map.json"
    SEED_MAP = "seed_map.json"
    CONVERSATION_MAP = "conversation_map.json"
    ROUTING = "routing_config.json"
    LOOKS = "fp_map.json"
    SOCKETS = "wss_map.json"
    CHAT_TOKENS = "chatToken.json"
    USERS = "users.json"
    APP_YAML = "app.yaml"
    AUTH = "auth.json"


def _ignore(content: bytes, where: str) -> Found:
    """Known, and nothing in it outlives the program that wrote it."""
    return Found()


_READERS: Mapping[Format, Reader] = {
    Format.TOKENS: read_token_lines,
    Format.FAILED_TOKENS: read_failed_lines,
    Format.REFRESH_MAP: read_refresh_map,
    Format.SEED_MAP: read_seed_map,
    Format.CONVERSATION_MAP: read_conversation_map,
    Format.ROUTING: read_routing,
    Format.LOOKS: read_looks,
    Format.SOCKETS: _ignore,
    Format.CHAT_TOKENS: read_chat_tokens,
    Format.USERS: read_users,
    Format.APP_YAML: read_app_yaml,
    Format.AUTH: read_auth_file,
}

_NAMES: Mapping[str, Format] = {
    **{each.value.lower(): each for each in Format},
    "user_agents.json": Format.LOOKS,
}


def read_content(name: str, content: bytes) -> Found:
    """What a file holds. Raises nothing: what cannot be taken is in `skipped`."""
    where = place_of(name)
    found = recognise(name, content)
    return (
        nothing(where, _why_unknown(content)) if found is None else _READERS[found](content, where)
    )


def recognise(name: str, content: bytes) -> Format | None:
    """The kind of file; None for what is none of them."""
    return by_name(name) or _by_shape(content)


def by_name(name: str) -> Format | None:
    last = _SLASH.split(name)[-1].lower()
    return Format.APP_YAML if _APP_YAML.fullmatch(last) else _NAMES.get(last)


def place_of(name: str) -> str:
    """A file's name as reports show it. Names are given by whoever uploads: they may hold anything."""
    parts = [label_of(part, _LONGEST_NAME) for part in _SLASH.split(name)]
    return label_of(name) if all(parts) else "the file"


# --- shapes


def _by_shape(content: bytes) -> Format | None:
    try:
        text = text_of(content)
        if text.lstrip()[:1] in {"{", "[", '"'}:
            return _of_document(next(json_documents(text)))
        if _YAML_LINE.search(text):
            return Format.APP_YAML
        has_tokens = any(token_of(line) for line in gently(lines_of(text)))
    except Unreadable:
        return None
    return Format.TOKENS if has_tokens else None


def _why_unknown(content: bytes) -> str:
    """Where it is JSON but for some damage, the damage is worth telling."""
    try:
        text = text_of(content)
        if text.lstrip()[:1] in {"{", "["}:
            next(json_documents(text))
    except Unreadable as trouble:
        return trouble.reason
    return UNKNOWN


def _of_document(document: Any) -> Format | None:
    if isinstance(document, str):
        return Format.AUTH if token_of(document) else None
    if isinstance(document, list):
        return _of_list(document[:_LOOKED_AT])
    if not isinstance(document, dict):
        return None
    for found, has in _OBJECTS:
        if has(document):
            return found
    entries = [value for _, value in zip(range(_LOOKED_AT), document.values(), strict=False)]
    names = [{str(name).lower() for name in each} for each in entries if isinstance(each, dict)]
    return next(
        (found for found, wanted in _ENTRIES if any(wanted <= name for name in names)), None
    )


def _of_list(entries: list[Any]) -> Format | None:
    names = [set(each) for each in entries if isinstance(each, dict)]
    if any("bind_token" in each for each in names):
        return Format.USERS
    if any({"email", "status"} <= each and _TOKEN_NAMES & each for each in names):
        return Format.CHAT_TOKENS
    is_auth = any(map(_is_login, entries)) or any(token_of(each) for each in entries)
    return Format.AUTH if is_auth else None


_TOKEN_NAMES = frozenset({"access_token", "refresh_token", "accessToken", "refreshToken"})


def _is_login(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    return (
        bool(_TOKEN_NAMES & entry.keys())
        or "auth_mode" in entry
        or "OPENAI_API_KEY" in entry
        or isinstance(entry.get("tokens"), dict)
    )


_OBJECTS: tuple[tuple[Format, Callable[[dict[str, Any]], bool]], ...] = (
    (Format.AUTH, _is_login),
    (Format.ROUTING, lambda document: isinstance(document.get("bindings"), dict)),
    (Format.APP_YAML, lambda document: isinstance(document.get("chatgpts"), list)),
)

# Most telling first; field names in lower case.
_ENTRIES: tuple[tuple[Format, frozenset[str]], ...] = (
    (Format.SEED_MAP, frozenset({"token", "conversations"})),
    (Format.SOCKETS, frozenset({"wss_url"})),
    (Format.REFRESH_MAP, frozenset({"token", "timestamp"})),
    (Format.LOOKS, frozenset({"user-agent"})),
    (Format.CONVERSATION_MAP, frozenset({"title", "create_time"})),
)
