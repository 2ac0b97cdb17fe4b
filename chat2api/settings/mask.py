"""What of a setting may be shown to people: in problems, at start, in the log."""

from __future__ import annotations

import re

HIDDEN = "***"
# A path that works as a password, and headers that may carry cookies or keys.
_PRIVATE = frozenset({"api_prefix", "upstream_headers"})
_USERINFO = re.compile(r"(?<=://)[^\s/?#@]*(?:@[^\s/?#@]*)*@")
_LONGEST = 200


def mask_text(name: str, text: str) -> str:
    """`text` of setting `name`, without what must not be seen, on one line and not too long."""
    if name in _PRIVATE and text:
        return HIDDEN
    return clip(mask_userinfo(text))


def mask_userinfo(text: str) -> str:
    """user:password@ in addresses becomes ***@."""
    return _USERINFO.sub(f"{HIDDEN}@", text)


def clip(text: str) -> str:
    printable = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return printable if len(printable) <= _LONGEST else printable[:_LONGEST] + "…"
