"""What of a setting may be shown to people: in problems, at start, in the log."""

from __future__ import annotations

import re

HIDDEN = "***"
# A path that works as a password, and headers that may carry cookies or keys.
_PRIVATE = frozenset({"api_prefix", "upstream_headers"})
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*(?:@[^\s/?#@]*)*@")
_LONGEST = 200
_SHORT = 10
_MASKED = re.compile(r".{6}\.\.\..{4}", re.DOTALL)


def mask_text(name: str, text: str) -> str:
    """`text` of setting `name`, without what must not be seen, on one line and not too long."""
    if name in _PRIVATE and text:
        return HIDDEN
    return clip(mask_userinfo(text))


def mask_userinfo(text: str) -> str:
    """user:password@ in addresses becomes ***@."""
    return _USERINFO.sub(f"{HIDDEN}@", text)


def mask_secret(text: str) -> str:
    """Enough of a secret to tell it from another: sk-abc...wxyz."""
    return HIDDEN if len(text) <= _SHORT else f"{text[:6]}...{text[-4:]}"


def is_masked(text: str) -> bool:
    """Whether this is what `mask_secret` or `mask_address` made, and so no secret."""
    return bool(_MASKED.fullmatch(text)) or HIDDEN in text


def mask_address(text: str) -> str:
    """user:password@ becomes ***@, also where the address is malformed or has no scheme."""
    before, at, host = text.rpartition("@")
    scheme, mark, _ = before.partition("://")
    return f"{scheme}{mark}{HIDDEN}@{host}" if at and mark else f"{HIDDEN}@{host}" if at else text


def clip(text: str) -> str:
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return printable if len(printable) <= _LONGEST else printable[:_LONGEST] + "…"
