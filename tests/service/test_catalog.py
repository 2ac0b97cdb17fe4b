"""One list of all that may be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.errors import UnknownModel
from chat2api.lifetime.call import Call
from chat2api.pool.values import Credential
from chat2api.providers.protocol import Model
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, PoolKey, Principal
from chat2api.service.catalog import UnitedCatalog
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.settings.compatible_entry import CompatibleEntry
from tests.service.conftest import FakeProvider

Stage = Any
KEY = PoolKey("key-id")
STRANGERS = [Anonymous(), Direct(Credential("own", Secret("fk-own")))]


class Accounts:
    def available(self, principal: Principal, call: Call) -> list[Model]:
        return [Model("auto"), Model("gpt-4o", created=7)]

    def known(self) -> list[str]:
        return ["auto", "gpt-4o"]

    def find(self, name: str, principal: Principal, call: Call) -> Model:
        raise AssertionError("found by what is available")


class Shelf:
    def __init__(self, stage: Stage, *models: str) -> None:
        self.call = stage.call
        self.serve = True
        entry = CompatibleEntry("local", "http://x.test", models=models)
        provider: Any = FakeProvider()
        backend = EntryBackend(entry, provider, stage.egress(), 0)
        entries = Entries([Entry(backend)] if models else [])
        self.catalog = UnitedCatalog(Accounts(), entries, lambda: self.serve)

    def listed(self, caller: Principal = KEY) -> dict[str, str]:
        return {model.name: model.owned_by for model in self.catalog.available(caller, self.call)}


def test_both_in_one_list(stage: Stage) -> None:
    shelf = Shelf(stage, "llama3", "gpt-4o")
    assert shelf.listed() == {"auto": "openai", "gpt-4o": "openai", "llama3": "local"}
    assert list(shelf.listed()) == sorted(shelf.listed())
    assert shelf.catalog.known() == ["auto", "gpt-4o", "llama3"]


@pytest.mark.parametrize("caller", STRANGERS)
def test_strangers_see_the_accounts_models_only(stage: Stage, caller: Principal) -> None:
    shelf = Shelf(stage, "llama3")
    assert set(shelf.listed(caller)) == {"auto", "gpt-4o"}
    for name in ("llama3", "local/llama3"):
        with pytest.raises(UnknownModel):
            shelf.catalog.find(name, caller, shelf.call)


def test_models_that_nobody_can_answer_are_not_offered(stage: Stage) -> None:
    shelf = Shelf(stage, "llama3")
    shelf.serve = False
    assert shelf.listed() == {"llama3": "local"}
    bare = Shelf(stage)
    bare.serve = False
    assert set(bare.listed()) == {"auto", "gpt-4o"}


def test_finding_one(stage: Stage) -> None:
    shelf = Shelf(stage, "llama3")
    for name in ("llama3", "gpt-4o", "local/never/listed"):
        assert shelf.catalog.find(name, KEY, shelf.call).name == name
    assert shelf.catalog.find("local/x", KEY, shelf.call).owned_by == "local"
    with pytest.raises(UnknownModel):
        shelf.catalog.find("other", KEY, shelf.call)
