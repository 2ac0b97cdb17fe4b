"""Model lists."""

from __future__ import annotations

from openai.pagination import SyncPage
from openai.types import Model as OfficialModel

from chat2api.dialects.openai_models import render_model, render_models
from chat2api.providers.protocol import Model

GPT = Model("gpt-4o", created=1_715_367_049)
MINE = Model("my-alias", owned_by="chat2api")
ENTRY = {"id": "gpt-4o", "object": "model", "created": 1_715_367_049, "owned_by": "openai"}


def test_one_model() -> None:
    assert render_model(GPT) == ENTRY


def test_the_list_keeps_its_order() -> None:
    assert render_models([MINE, GPT]) == {
        "object": "list",
        "data": [
            {"id": "my-alias", "object": "model", "created": 0, "owned_by": "chat2api"},
            ENTRY,
        ],
    }


def test_an_empty_list() -> None:
    assert render_models([]) == {"object": "list", "data": []}


def test_the_official_types_take_them() -> None:
    assert OfficialModel.model_validate(render_model(GPT), strict=True).model_extra == {}
    page = SyncPage[OfficialModel].model_validate(render_models([GPT, MINE]), strict=True)
    assert [model.id for model in page.data] == ["gpt-4o", "my-alias"]
