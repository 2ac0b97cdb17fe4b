"""One upstream that speaks OpenAI's API, as `providers.openai_compatible` of the YAML file lists it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from chat2api.secret import Secret
from chat2api.settings.checks import is_base_url, is_proxy

PROVIDERS = "providers"
"""The section of the YAML file."""
OPENAI_COMPATIBLE = "openai_compatible"
"""The list in that section; also the setting that it becomes, and the name of an entry without one."""
COMPATIBLE_FIELDS = ("name", "base_url", "api_key", "models", "proxy", "priority")

ALL_MODELS = "*"
DIRECT = "direct"
"""Instead of a proxy: none, not even PROXY_URL."""
POOL_PRIORITY = 0
DEFAULT_PRIORITY = 1
HIGHEST_PRIORITY = 1000

_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_RESERVED = frozenset({"chatgpt", "codex"})
_LONGEST_MODEL = 200


@dataclass(frozen=True, slots=True)
class CompatibleEntry:
    """`base_url` is what /chat/completions is added to. `models` are names, or `*` for all that it has.

    `api_key` and `proxy` are None where there is none; a proxy of `direct` means not even PROXY_URL.
    The lowest `priority` is asked first; the accounts stand at 0.
    """

    name: str
    base_url: str
    api_key: Secret | None = None
    models: tuple[str, ...] = (ALL_MODELS,)
    proxy: Secret | None = None
    priority: int = DEFAULT_PRIORITY


def is_entry_name(value: str) -> str:
    """Raises ValueError, as all of these do; its text completes "NAME: …"."""
    if not _NAME.fullmatch(value):
        raise ValueError("must be 1 to 32 lower-case letters, digits, _ or -")
    if value in _RESERVED:
        raise ValueError("is the name of a provider of this server; choose another")
    return value


def is_entry_address(value: str) -> str:
    address = is_base_url(value)
    if "@" in urlsplit(address).netloc:
        raise ValueError("must hold no user and password; use api_key")
    return address


def is_entry_proxy(value: Secret) -> Secret:
    is_none = value.reveal().lower() == DIRECT
    return Secret(DIRECT) if is_none else is_proxy(value)


def is_model_name(value: str) -> str:
    if not value or not value.isprintable() or len(value) > _LONGEST_MODEL:
        raise ValueError(f"every model must be 1 to {_LONGEST_MODEL} printable characters")
    return value
