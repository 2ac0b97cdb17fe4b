"""What single values must look like. Each returns the value as it is kept, or raises ValueError.

The text of a ValueError completes "NAME: …" and never repeats the value.
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from urllib.parse import urlsplit

from chat2api.secret import Secret

SHORTEST_SECRET_KEY = 16
_PREFIX = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")
_PROXY_SCHEMES = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"}
_POSTGRESQL = ("postgres://", "postgresql://", "postgresql+psycopg://")
_SQLITE = "sqlite:///"
# Other programs' words for our levels; seed deployments have them in their files.
_LEVELS = {"trace": "debug", "warn": "warning", "fatal": "error"}
_CLAUDE_FAMILIES = {"opus", "sonnet", "haiku"}
_SYSTEM_ZONE = "/etc/localtime"


def is_prefix(value: str) -> str:
    stripped = value.strip("/")
    if stripped and not _PREFIX.fullmatch(stripped):
        raise ValueError("use letters, digits, and . _ ~ - only")
    return stripped


def is_claude_table(value: dict[str, str]) -> dict[str, str]:
    if not set(value) <= _CLAUDE_FAMILIES:
        raise ValueError("must name opus, sonnet and haiku only")
    if not all(value.values()):
        raise ValueError("every family must have a model")
    return value


def is_base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    if parts.query or parts.fragment:
        raise ValueError("must have no query and no fragment")
    return value.rstrip("/")


def is_proxy(value: Secret) -> Secret:
    text = value.reveal()
    if "://" not in text:
        text = "http://" + text
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ValueError("must look like http://, https:// or socks5://[user:password@]host:port")
    return Secret(text)


def is_network(value: str) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or a network such as 10.0.0.0/8") from None
    return value


def is_hex(value: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{1,128}", value):
        raise ValueError("must be 1 to 128 hexadecimal digits")
    return value.lower()


def is_secret_key(value: Secret) -> Secret:
    if len(value.reveal()) < SHORTEST_SECRET_KEY:
        raise ValueError(f"every key must have at least {SHORTEST_SECRET_KEY} characters")
    return value


def is_database_url(value: Secret) -> Secret:
    text = value.reveal()
    names_file = text.startswith(_SQLITE) and len(text) > len(_SQLITE)
    if not names_file and not text.startswith(_POSTGRESQL):
        raise ValueError("must begin with postgresql:// (or postgres://), or be sqlite:///FILE")
    return value


def is_postgresql(url: Secret) -> bool:
    return url.reveal().startswith(_POSTGRESQL)


def is_zone(value: str) -> str:
    name = value.removeprefix(":")  # as POSIX writes it
    if name in {"", _SYSTEM_ZONE}:
        return ""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Berlin or Asia/Shanghai") from None
    return name


def is_file_name(value: str) -> str:
    if value in {".", ".."} or "/" in value or "\\" in value:
        raise ValueError("must be a file name without slashes")
    return value


def as_log_level(value: object) -> object:
    """Our word for another program's level; anything else as it is."""
    return _LEVELS.get(value, value) if isinstance(value, str) else value
