"""The models of `GET /models`, in the spellings that servers have. Pure."""

from __future__ import annotations

from typing import Any

from chat2api.providers.protocol import Model

_MOST = 10_000
_LONGEST = 200


def parse_models(document: Any, owner: str) -> list[Model]:
    """Each once, in the server's order; empty for what is no list of models."""
    entries = document
    if isinstance(document, dict):
        entries = document.get("data", document.get("models"))
    if not isinstance(entries, list):
        return []
    found: dict[str, Model] = {}
    for entry in entries[:_MOST]:
        fields = entry if isinstance(entry, dict) else {"id": entry}
        name = fields.get("id") or fields.get("name")
        if isinstance(name, str) and name and name.isprintable() and len(name) <= _LONGEST:
            found.setdefault(name, Model(name, owner, _created(fields.get("created"))))
    return list(found.values())


def _created(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
