"""`/v1/models` as Anthropic's API answers it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from chat2api.dialects.openai_models import ListedModel


def render_model(model: ListedModel) -> dict[str, Any]:
    """The answer of `/v1/models/{id}`, and one entry of the list."""
    return _entry(model.name, model.name, model.created)


def render_alias(name: str, meaning: str) -> dict[str, Any]:
    """The same for a name that stands for another model, which people are told."""
    return _entry(name, f"{name} ({meaning})", 0)


def render_models(entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The answer of `/v1/models`: all there are, on one page."""
    data = list(entries)
    return {
        "data": data,
        "has_more": False,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _entry(name: str, shown: str, created: int) -> dict[str, Any]:
    """An unknown date is the epoch, as this API has it."""
    created_at = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": name, "display_name": shown, "created_at": created_at}
