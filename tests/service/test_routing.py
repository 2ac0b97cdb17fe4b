"""Which upstreams a model's name leads to, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chat2api.chat.conversation import Conversation, ReplyTo
from chat2api.errors import ClientGone, Unsupported, UpstreamConnectionError
from chat2api.pool.values import Credential
from chat2api.providers.protocol import Model
from chat2api.secret import Secret
from chat2api.service.access import Anonymous, Direct, DirectRefresh, PoolKey, Principal
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.service.model_names import ModelNames
from chat2api.service.pool_backend import PoolBackend
from chat2api.service.routing import Router
from chat2api.service.usage import UsageCounter
from chat2api.settings.compatible_entry import CompatibleEntry
from tests.service.conftest import FakeProvider

Stage = Any
KEY = PoolKey("key-id")
KNOWN = ("auto", "gpt-5-5", "gpt-4o")
NAMES = ModelNames({"sonnet": "gpt-5-5", "haiku": "theirs/small"})


class Map:
    """Accounts that know KNOWN, and upstreams."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.entries: list[Entry] = []

    def add(self, name: str, models: str = "*", listed: Any = (), priority: int = 1) -> None:
        provider: Any = FakeProvider()
        provider.name = name
        provider.listed = (
            [Model(one, name) for one in listed]
            if listed is not None
            else (UpstreamConnectionError("away"))
        )
        entry = CompatibleEntry(
            name, "http://x.test", models=tuple(models.split(",")), priority=priority
        )
        self.entries.append(Entry(EntryBackend(entry, provider, self.stage.egress(), 0)))

    def router(self) -> Router:
        stage = self.stage
        usage = UsageCounter(stage.compute)
        pool = PoolBackend(stage.provider, stage.pool, stage.egress(), usage, stage.seating(), 0)
        return Router(pool, NAMES, Entries(self.entries), lambda: KNOWN)

    def way(self, model: str, caller: Principal = KEY, **more: Any) -> list[str]:
        """Upstream and model of each candidate."""
        conversation = replace(Conversation(model, ()), **more)
        found = self.router().candidates(conversation, caller, self.stage.call)
        return [f"{one.backend.provider.name}:{one.model}" for one in found]


@pytest.fixture
def map(stage: Stage) -> Map:
    return Map(stage)


def test_without_other_upstreams_everything_is_for_the_accounts(map: Map) -> None:
    assert map.way("gpt-5-5") == ["fake:gpt-5-5"]
    assert map.way("anything/new") == ["fake:anything/new"]
    assert map.way("claude-sonnet-9") == ["fake:gpt-5-5"]


@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("llama3", ["local:llama3"]),
        ("gpt-5-5", ["fake:gpt-5-5"]),
        ("gpt-4o", ["fake:gpt-4o", "official:gpt-4o"]),
        ("gpt-image-1", ["official:gpt-image-1"]),
        ("shared", ["local:shared", "official:shared"]),
        ("unknown", ["fake:unknown"]),
        ("local/llama3", ["local:llama3"]),
        ("official/llama3", ["official:llama3"]),
        ("local/vendor/new", ["local:vendor/new"]),
        ("claude-sonnet-9", ["fake:gpt-5-5"]),
        ("auto", ["fake:auto"]),
        ("g-0123abc", ["fake:g-0123abc"]),
        ("gpt-4o-gizmo-g-0123abc", ["fake:gpt-4o-gizmo-g-0123abc"]),
    ],
)
def test_names(map: Map, model: str, way: list[str]) -> None:
    map.add("local", listed=("llama3", "shared", "auto", "g-0123abc"))
    map.add("official", "gpt-4o,gpt-image-1,shared")
    assert map.way(model) == way


def test_the_lowest_priority_is_asked_first(map: Map) -> None:
    map.add("late", "gpt-4o", priority=9)
    map.add("first", "gpt-4o", priority=-1)
    map.add("level", "gpt-4o", priority=0)
    map.add("second", "gpt-4o", priority=9)
    expected = ["first", "fake", "level", "late", "second"]
    assert map.way("gpt-4o") == [f"{name}:gpt-4o" for name in expected]


def test_a_name_that_leads_to_a_known_slug_is_one_that_the_accounts_have(map: Map) -> None:
    map.add("official", "gpt-4o-2024-08-06")
    map.stage.provider.key = "gpt-4o"
    assert map.way("gpt-4o-2024-08-06")[0] == "fake:gpt-4o-2024-08-06"


def test_other_makers_models(map: Map) -> None:
    """Their very name comes first, then what it stands for."""
    map.add("theirs", "claude-sonnet-9,gpt-5-5")
    assert map.way("claude-sonnet-9") == ["theirs:claude-sonnet-9"]
    assert map.way("claude-sonnet-8") == ["fake:gpt-5-5", "theirs:gpt-5-5"]
    assert map.way("claude-haiku-9") == ["theirs:small"]


def test_whoever_does_not_tell_what_it_has_is_asked_last(map: Map) -> None:
    map.add("away", listed=None)
    map.add("local", "llama3")
    assert map.way("unknown") == ["fake:unknown", "away:unknown"]
    assert map.way("llama3") == ["local:llama3"]


def test_without_accounts_there_is_no_doomed_attempt(map: Map) -> None:
    map.stage.pool.accounts = []
    map.add("official", "gpt-4o")
    assert map.way("gpt-4o") == ["official:gpt-4o"]
    assert map.way("gpt-5-5") == ["fake:gpt-5-5"]
    map.add("away", listed=None)
    assert map.way("gpt-5-5") == ["away:gpt-5-5"]


@pytest.mark.parametrize(
    "caller",
    [
        Anonymous(),
        Direct(Credential("own", Secret("fk-own"))),
        DirectRefresh(Secret("rt_own")),
    ],
)
def test_the_operators_keys_are_not_for_strangers(map: Map, caller: Principal) -> None:
    map.add("local", "llama3,gpt-4o", priority=-1)
    for model in ("llama3", "gpt-4o", "local/llama3"):
        assert map.way(model, caller) == [f"fake:{model}"]
        assert map.router().entry_of(model, caller) is None


def test_conversations_go_on_where_they_are_kept(map: Map) -> None:
    map.add("local", "gpt-4o", priority=-1)
    assert map.way("gpt-4o", reply_to=ReplyTo("c")) == ["fake:gpt-4o"]
    with pytest.raises(Unsupported) as caught:
        map.way("local/gpt-4o", reply_to=ReplyTo("c"))
    assert caught.value.param == "conversation_id"


def test_a_caller_who_left_meanwhile(map: Map) -> None:
    map.add("local", "gpt-4o")
    map.stage.call.cancel(ClientGone("Gone."))
    with pytest.raises(ClientGone):
        map.way("gpt-4o")


@pytest.mark.parametrize(
    ("model", "found"),
    [("painter", ("first", "painter")), ("late/x", ("late", "x")), ("gpt-5-5", None)],
)
def test_who_can_do_other_things(map: Map, model: str, found: Any) -> None:
    map.add("late", "painter", priority=5)
    map.add("first", "painter")
    entry = map.router().entry_of(model, KEY)
    assert (None if entry is None else (entry[0].provider.name, entry[1])) == found


# --- no particular model


@pytest.mark.parametrize("model", ["auto", "claude-sonnet-9"])
def test_where_there_are_no_accounts_any_other_upstream_will_do(map: Map, model: str) -> None:
    map.stage.pool.accounts = []
    map.add("silent", listed=None)
    map.add("local", "tuned,*", listed=("llama3",))
    map.add("official", "gpt-5-2")
    assert map.way(model) == ["local:tuned"]
    map.stage.allow_anonymous = True
    assert map.way(model)[0].startswith("fake:")


def test_a_list_will_do_for_that_too(map: Map) -> None:
    map.stage.pool.accounts = []
    map.add("local", listed=("llama3", "other"))
    assert map.way("auto") == ["local:llama3"]


def test_with_accounts_the_choice_is_theirs(map: Map) -> None:
    map.add("local", listed=("llama3",))
    assert map.way("auto") == ["fake:auto"]


def test_without_any_model_the_accounts_say_that_there_are_none(map: Map) -> None:
    map.stage.pool.accounts = []
    map.add("silent", listed=None)
    assert map.way("auto") == ["fake:auto"]
