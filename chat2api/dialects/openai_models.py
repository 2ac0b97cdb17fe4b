"""`/v1/models` as the public API answers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol


class ListedModel(Protocol):
    """What is told of a model. `created` in epoch seconds, 0 when unknown."""

    @property
    def name(self) -> str: ...

    @property
    def owned_by(self) -> str: ...

    @property
    def created(self) -> int: ...


def render_model(model: ListedModel) -> dict[str, Any]:
    """The answer of `/v1/models/{id}`, and one entry of the list."""
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }


def render_models(models: Iterable[ListedModel]) -> dict[str, Any]:
    """The answer of `/v1/models`, in the order given."""
    return {"object": "list", "data": [render_model(model) for model in models]}
