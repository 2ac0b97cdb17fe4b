"""The list of models in the words of Anthropic's API."""

from __future__ import annotations

from chat2api.dialects.anthropic_models import render_alias, render_model, render_models
from chat2api.providers.protocol import Model


def test_a_model() -> None:
    assert render_model(Model("gpt-5-5", created=1_700_000_000)) == {
        "type": "model",
        "id": "gpt-5-5",
        "display_name": "gpt-5-5",
        "created_at": "2023-11-14T22:13:20Z",
    }
    assert render_model(Model("auto"))["created_at"] == "1970-01-01T00:00:00Z"


def test_a_name_that_stands_for_another_says_so() -> None:
    assert render_alias("claude-opus", "gpt-5-5-thinking") == {
        "type": "model",
        "id": "claude-opus",
        "display_name": "claude-opus (gpt-5-5-thinking)",
        "created_at": "1970-01-01T00:00:00Z",
    }


def test_a_list() -> None:
    entries = [render_model(Model("a")), render_model(Model("b"))]
    assert render_models(entries) == {
        "data": entries,
        "has_more": False,
        "first_id": "a",
        "last_id": "b",
    }
    assert render_models([]) == {"data": [], "has_more": False, "first_id": None, "last_id": None}
