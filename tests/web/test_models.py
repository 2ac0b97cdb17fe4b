"""The list of models as a key may see it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.providers.protocol import Model
from chat2api.service.models import ModelCatalog


def names(response: Any) -> list[str]:
    return [model["id"] for model in response.get_json()["data"]]


def test_a_key_sees_the_models_it_may_use(site: Any) -> None:
    _, secret = site.keys.create("Bob", models=["gpt-5*"])
    key = secret.reveal()
    assert names(site.send("GET", "/v1/models")) == ["auto", "gpt-5-5"]
    assert names(site.send("GET", "/v1/models", key=key)) == ["gpt-5-5"]
    assert site.send("GET", "/v1/models/gpt-5-5", key=key).get_json()["id"] == "gpt-5-5"


def test_one_that_it_may_not_use_does_not_exist(site: Any) -> None:
    _, secret = site.keys.create("Bob", models=["gpt-5*"])
    hidden = site.send("GET", "/v1/models/auto", key=secret.reveal())
    missing = site.send("GET", "/v1/models/none", key=secret.reveal())
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.get_json() == {
        "error": {
            "message": "The model 'auto' does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }
    assert site.send("GET", "/v1/models/auto").status_code == 200


VERSION = {"anthropic-version": "2023-06-01"}


def test_clients_of_another_api_are_told_in_its_words(site: Any) -> None:
    _, secret = site.keys.create("Bob", models=["gpt-5*"])
    told = site.send("GET", "/v1/models?limit=1", headers=VERSION, key=secret.reveal()).get_json()
    entry = {
        "type": "model",
        "id": "gpt-5-5",
        "display_name": "gpt-5-5",
        "created_at": "1970-01-01T00:00:07Z",
    }
    assert told == {"data": [entry], "has_more": False, "first_id": "gpt-5-5", "last_id": "gpt-5-5"}
    assert site.send("GET", "/v1/models/gpt-5-5", headers=VERSION).get_json() == entry


def test_they_see_the_names_that_they_know(site: Any) -> None:
    site.given["claude_models"] = {"opus": "large"}
    assert names(site.send("GET", "/v1/models", headers=VERSION)) == [
        "claude-opus", "claude-sonnet", "claude-haiku", "auto", "gpt-5-5",
    ]  # fmt: skip
    one = site.send("GET", "/v1/models/claude-opus-5", headers=VERSION).get_json()
    assert (one["id"], one["display_name"]) == ("claude-opus-5", "claude-opus-5 (large)")
    assert site.send("GET", "/v1/models/claude-opus-5").status_code == 404
    assert names(site.send("GET", "/v1/models")) == ["auto", "gpt-5-5"]
    _, secret = site.keys.create("Bob", models=["claude-haiku*"])
    assert names(site.send("GET", "/v1/models", headers=VERSION, key=secret.reveal())) == [
        "claude-haiku"
    ]


def test_names_that_stand_for_a_model_that_is_there(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*models: str) -> list[str]:
        offered = [Model(name) for name in models]
        monkeypatch.setattr(ModelCatalog, "available", lambda *_: offered)
        told = site.send("GET", "/v1/models", headers=VERSION).get_json()["data"]
        return [model["display_name"] for model in told if "claude" in model["id"]]

    assert shown("auto", "gpt-5-5", "gpt-5-mini") == [
        "claude-opus (gpt-5-5)", "claude-sonnet (gpt-5-5)", "claude-haiku (gpt-5-mini)",
    ]  # fmt: skip
    assert shown("auto")[0] == "claude-opus (auto)"
    assert shown("llama") == []
