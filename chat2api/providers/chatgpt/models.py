"""Model names as callers spell them, and the upstream's slugs (sheet 4.6). Pure.

Slugs drift monthly, so the table is short, settings can override it, and unknown names pass through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chat2api.providers.protocol import Model

_GIZMO = re.compile(r"(?:(?P<base>.+?)-gizmo-)?(?P<id>g-[A-Za-z0-9-]+)")
_DOTTED = re.compile(r"^(gpt-\d+)\.(\d+)")
_OLD_GPT4 = re.compile(r"gpt-4-(?:turbo|vision|32k|\d{4})(?:-.*)?")
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")
_SLOW = re.compile(r"(?:^|-)(?:o1|o3|o4|thinking|pro|research|agent|reason)(?:-|$)")

_NAMES = {
    "gpt-3.5-turbo": "text-davinci-002-render-sha",
    "gpt-3.5-turbo-16k": "text-davinci-002-render-sha",
    "gpt-3.5": "text-davinci-002-render-sha",
    "chatgpt-4o-latest": "gpt-4o",
}

_EFFORTS = {
    "low": "standard",
    "medium": "standard",
    "high": "extended",
    "xhigh": "max",
    "max": "max",
}

FALLBACK = (
    "auto",
    "gpt-5-6",
    "gpt-5-6-thinking",
    "gpt-5-5",
    "gpt-5-5-thinking",
    "gpt-5-mini",
    "gpt-4o",
)
"""Shown when the upstream's own list cannot be had."""


@dataclass(frozen=True, slots=True)
class Target:
    """What to ask the upstream for. `gizmo_id` is a GPT ("g-…"); `effort` its thinking effort."""

    slug: str
    gizmo_id: str | None = None
    effort: str | None = None

    @property
    def is_slow(self) -> bool:
        """Whether long silences are normal (reasoning, pro and research models)."""
        return bool(_SLOW.search(self.slug)) or self.effort in {"extended", "max"}


def resolve(name: str, effort: str | None, aliases: Mapping[str, str]) -> Target:
    """The upstream model for a name; `effort` is OpenAI's reasoning_effort.

    GPTs come as `g-ID`, `gpt-4-gizmo-g-ID` or `BASE-gizmo-g-ID`.
    """
    name = aliases.get(name, name)
    upstream_effort = _EFFORTS.get(effort or "")
    gizmo = _GIZMO.fullmatch(name)
    if gizmo is None:
        return Target(_slug(name), None, upstream_effort)
    base = gizmo["base"]
    slug = "gpt-4o" if base == "gpt-4" else _slug(base) if base else "auto"
    return Target(slug, gizmo["id"], upstream_effort)


def _slug(name: str) -> str:
    if _OLD_GPT4.fullmatch(name):
        return "gpt-4"
    undated = _DATED.sub("", name)
    known = _NAMES.get(name) or _NAMES.get(undated)
    if known is not None:
        return known
    if undated.startswith(("gpt-4", "gpt-3.5", "o1", "o3", "o4")):
        name = undated
    return _DOTTED.sub(r"\1-\2", name)


def parse_models(document: Any) -> list[Model]:
    """The models of `GET {B}/models`: a list or a dict of entries, in several spellings (sheet 10.1)."""
    entries = document.get("models") if isinstance(document, dict) else document
    if isinstance(entries, dict):
        entries = [
            {"slug": slug, **(entry if isinstance(entry, dict) else {})}
            for slug, entry in entries.items()
        ]
    if not isinstance(entries, list):
        return []
    names: dict[str, None] = {}
    for entry in entries:
        name = _entry_name(entry)
        if name:
            names.setdefault(name)
    return [Model(name) for name in names]


def _entry_name(entry: Any) -> str | None:
    if isinstance(entry, str):
        return entry
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("model"), dict):
        entry = entry["model"]
    for key in ("slug", "id", "model_slug", "name"):
        if isinstance(entry.get(key), str) and entry[key]:
            return str(entry[key])
    return None
