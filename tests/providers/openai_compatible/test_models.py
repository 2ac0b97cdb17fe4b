"""Lists of models in several spellings."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.providers.openai_compatible.models import parse_models
from chat2api.providers.protocol import Model


@pytest.mark.parametrize(
    ("document", "models"),
    [
        (
            {"object": "list", "data": [{"id": "b", "created": 7, "owned_by": "x"}, {"id": "a"}]},
            [Model("b", "local", 7), Model("a", "local")],
        ),
        ([{"id": "a"}, {"id": "a"}, "c"], [Model("a", "local"), Model("c", "local")]),
        ({"models": [{"name": "a:7b"}]}, [Model("a:7b", "local")]),
        ({"data": [{"id": 3}, None, {"id": "x\n"}, {"id": "y" * 201}, {"id": ""}]}, []),
        ({"data": [{"id": "a", "created": "soon"}]}, [Model("a", "local")]),
        ({"error": "x"}, []),
        (None, []),
    ],
)
def test_models(document: Any, models: list[Model]) -> None:
    assert parse_models(document, "local") == models
