"""Header values: what may be put into one, and what a browser says of itself there (sheet 1.2). Pure."""

from __future__ import annotations

import re
from typing import Any

# Browsers that add nothing to Chrome's own words but their name; others send hints we do not know.
_CHROMIUM = re.compile(
    r"(?<!\w)Chrome/(?P<engine>\d{1,4})[\d.]*(?P<mobile> Mobile)? Safari/[\d.]+"
    r"(?: (?P<name>Edg|EdgA|OPR)/(?P<version>\d{1,4})[\d.]*)?\Z"
)
_BRANDS = {None: "Google Chrome", "Edg": "Microsoft Edge", "EdgA": "Microsoft Edge", "OPR": "Opera"}

# In this order: an agent on Android names Linux, too.
_PLATFORMS = (
    ("Windows NT", "Windows"),
    ("Android", "Android"),
    ("Macintosh", "macOS"),
    ("CrOS", "Chrome OS"),
    ("Linux", "Linux"),
)


def header_text(value: Any) -> str | None:
    """`value` if it is a text that fits into a header, else None."""
    if isinstance(value, str) and value and value.isascii() and value.isprintable():
        return value
    return None


def client_hints(user_agent: str) -> dict[str, str]:
    """The client hints that agree with a User-Agent; none for an agent that would send none, or others."""
    browser = _CHROMIUM.search(user_agent)
    platform = next((name for sign, name in _PLATFORMS if sign in user_agent), None)
    if browser is None or platform is None:
        return {}
    engine, name = browser["engine"], browser["name"]
    brand = f'"{_BRANDS[name]}";v="{browser["version"] or engine}"'
    return {
        "Sec-Ch-Ua": f'"Chromium";v="{engine}", {brand}, "Not-A.Brand";v="99"',
        "Sec-Ch-Ua-Mobile": "?1" if browser["mobile"] else "?0",
        "Sec-Ch-Ua-Platform": f'"{platform}"',
    }
