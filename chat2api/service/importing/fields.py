"""Single values of an entry: taken if they are what they should be, else left out. Pure.

Every field may hold anything at all, also a token in the wrong place: what is kept in clear is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from chat2api.pool.claims import is_jwt
from chat2api.pool.tokens import (
    LONGEST_TOKEN,
    TokenText,
    is_filler,
    is_workspace_id,
    parse_line,
    token_kind,
)
from chat2api.pool.values import Look
from chat2api.secret import Secret
from chat2api.settings.checks import is_proxy

NOT_A_TOKEN = "not a token"  # noqa: S105 - words for people
NOT_AN_ENTRY = "is not an entry of this kind of file"
BAD_PROXY = "its proxy is no http, https or socks5 address and was left out"

_LONGEST_LABEL = 320
_LONGEST_AGENT = 512
_LONGEST_PROXY = 2_048
_LATEST_EPOCH = 253_402_300_799.0
_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+")
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_DEVICE = re.compile(r"[A-Za-z0-9-]{8,64}")
_AGENT = re.compile(rf"[ -~]{{1,{_LONGEST_AGENT}}}")
_OPAQUE = re.compile(rf"(?!sk-)[A-Za-z0-9_.|:+/=~-]{{16,{LONGEST_TOKEN}}}")
_LIKE_A_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8}|(?<![A-Za-z0-9])rt[_.][A-Za-z0-9_-]{16}")
_APART = re.compile(r"[^A-Za-z0-9_.~+/=-]+")
_VISIBLE = re.compile(rf"[!-~]{{1,{_LONGEST_PROXY}}}")


# --- tokens


def token_of(value: Any) -> TokenText | None:
    """`token` or `token,account_id`, also behind the word Bearer; None for anything else."""
    text = text_in(value)
    if text is None or is_filler(text):
        return None
    found = parse_line(text)
    if found is None or (found.workspace_id and token_kind(found.workspace_id)):
        return None  # two tokens with a comma between them: the second is no account id
    return found


def access_token_of(value: Any) -> TokenText | None:
    """An access token where the field says that it is one: a JWT may begin otherwise than most."""
    found = token_of(value)
    if found is not None:
        return found if found.kind == "access" else None
    opaque = opaque_of(value)
    return TokenText("access", opaque) if opaque is not None and is_jwt(opaque) else None


def refresh_token_of(value: Any) -> TokenText | None:
    found = token_of(value)
    return found if found is not None and found.kind == "refresh" else None


def opaque_of(value: Any) -> Secret | None:
    """A token of no known form, where the entry leaves no doubt of what it is."""
    text = text_in(value)
    return Secret(text) if text is not None and _OPAQUE.fullmatch(text) else None


def id_token_of(value: Any) -> Secret | None:
    opaque = opaque_of(value)
    return opaque if opaque is not None and is_jwt(opaque) else None


def text_in(value: Any) -> str | None:
    """Text with something in it, without the word Bearer in front."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text[:7].lower() == "bearer ":
        text = text[7:].strip()
    return text or None


# --- what may be shown


def label_of(value: Any, longest: int = _LONGEST_LABEL) -> str:
    """One line of printable text; empty for what is no text, too long, or like a token."""
    if not value or not isinstance(value, str) or len(value) > longest:
        return ""
    text = value if value.isprintable() else "".join(filter(str.isprintable, value))
    text = text.strip()
    has_token = _LIKE_A_TOKEN.search(text) or any(map(token_kind, _APART.split(text)))
    return "" if has_token else text


def email_of(value: Any) -> str:
    text = label_of(value)
    return text if _EMAIL.fullmatch(text) else ""


def workspace_of(value: Any) -> str | None:
    """An account id fit for a header. YAML may have made a number of one."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    text = label_of(text, 64)
    return text if is_workspace_id(text) else None


def id_of(value: Any) -> str | None:
    """The id of a conversation."""
    text = label_of(value, 80)
    return text if _ID.fullmatch(text) else None


# --- the rest


def moment_of(value: Any) -> float | None:
    """Epoch seconds of a number, of ISO 8601 text, or of YAML's own date. UTC unless it says otherwise."""
    if isinstance(value, str):
        value = _from_text(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, datetime):
        value = _epoch(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= _LATEST_EPOCH else None


def _from_text(text: str) -> datetime | float | None:
    try:
        if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
            return float(text)
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _epoch(moment: datetime) -> float | None:
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def proxy_of(value: Any) -> tuple[Secret | None, bool]:
    """The proxy, and whether nothing is wrong with the field (an empty one says "none")."""
    if value is None or value == "":
        return None, True
    text = text_in(value)
    if text is None or not _VISIBLE.fullmatch(text):
        return None, text is None and isinstance(value, str)
    try:
        return is_proxy(Secret(text)), True
    except ValueError:
        return None, False


def look_of(entry: Mapping[Any, Any]) -> Look:
    """User agent and device id; names in any case. Anything a header could not carry is left out."""
    lower = {str(name).lower(): value for name, value in entry.items()}
    agent, device = lower.get("user-agent"), lower.get("oai-device-id")
    agent = label_of(agent, _LONGEST_AGENT)
    device = label_of(device, 64)
    return Look(
        user_agent=agent if _AGENT.fullmatch(agent) else "",
        device_id=device if _DEVICE.fullmatch(device) else "",
    )


def first_of(entry: Mapping[Any, Any], *names: str) -> Any:
    """The first of these fields that says something."""
    for name in names:
        value = entry.get(name)
        if value is not None and value != "":
            return value
    return None
