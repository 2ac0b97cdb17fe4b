"""What the configured upstreams have: named, or asked for now and then."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from chat2api.errors import UpstreamConnectionError
from chat2api.providers.protocol import Model
from chat2api.service.entries import Entries, Entry
from chat2api.service.entry_backend import EntryBackend
from chat2api.settings.compatible_entry import CompatibleEntry
from tests.service.conftest import FakeProvider

Stage = Any
STAR = CompatibleEntry("local", "http://models.test/v1")
NAMED = replace(STAR, models=("a", "b"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class House:
    """One upstream whose list is `listed`, an error, or comes when `gate` opens."""

    def __init__(self, stage: Stage, entry: CompatibleEntry = STAR) -> None:
        self.clock = Clock()
        self.provider = FakeProvider()
        self.gate: threading.Event | None = None
        self.listed: Any = [Model("x", "local"), Model("y", "local")]
        self.provider.models = self._models  # type: ignore[method-assign]
        self.asked = 0
        provider: Any = self.provider
        backend = EntryBackend(entry, provider, stage.egress(), 0)
        self.entry = Entry(backend, clock=self.clock)

    def _models(self, credential: Any, io: Any) -> list[Model]:
        self.asked += 1
        if self.gate is not None:
            assert self.gate.wait(5)
        if isinstance(self.listed, Exception):
            raise self.listed
        return list(self.listed)

    def has(self, model: str) -> bool:
        return Entries([self.entry]).having(model) == [self.entry]

    def settle(self) -> None:
        for thread in threading.enumerate():
            if thread.name == f"models-{self.entry.name}":
                thread.join(5)


@pytest.fixture
def house(stage: Stage) -> House:
    return House(stage)


def test_named_models_need_no_asking(stage: Stage) -> None:
    house = House(stage, NAMED)
    assert [house.has(name) for name in ("a", "b", "x")] == [True, True, False]
    assert list(house.entry.known()) == ["a", "b"]
    assert (house.asked, house.entry.is_unsure) == (0, False)


def test_its_own_list_is_kept_a_while(house: House) -> None:
    assert house.entry.known() == {}
    assert house.entry.is_unsure
    assert house.has("x")
    assert not house.has("z")
    assert (house.asked, house.entry.is_unsure) == (1, False)
    house.listed = [Model("z", "local")]
    house.clock.now += 299
    assert not house.has("z")
    house.clock.now += 2
    house.gate = threading.Event()
    assert house.has("x"), "the list of before serves while the new one is asked for"
    house.gate.set()
    house.settle()
    assert (house.has("z"), house.has("x"), house.asked) == (True, False, 2)


def test_a_failure_is_remembered_and_nobody_waits_for_it_again(house: House) -> None:
    house.listed = UpstreamConnectionError("away")
    assert not house.has("x")
    assert (house.entry.is_unsure, house.asked) == (True, 1)
    house.clock.now += 29
    assert not house.has("x")
    assert house.asked == 1
    house.listed, house.gate = [Model("x", "local")], threading.Event()
    house.clock.now += 2
    assert not house.has("x"), "it is asked in the background"
    house.gate.set()
    house.settle()
    assert house.has("x")


def test_a_list_that_was_there_outlives_a_failure(house: House) -> None:
    assert house.has("x")
    house.listed = UpstreamConnectionError("away")
    house.clock.now += 301
    house.has("x")
    house.settle()
    assert house.has("x")
    assert not house.entry.is_unsure


def test_what_nobody_foresaw_does_not_end_the_asking(house: House) -> None:
    house.listed = ZeroDivisionError("a bug")
    assert not house.has("x")
    house.listed = [Model("x", "local")]
    house.clock.now += 31
    house.has("x")
    house.settle()
    assert house.has("x")


def test_many_callers_ask_once(house: House) -> None:
    house.gate = threading.Event()
    found: list[bool] = []
    callers = [threading.Thread(target=lambda: found.append(house.has("x"))) for _ in range(8)]
    for caller in callers:
        caller.start()
    house.gate.set()
    for caller in callers:
        caller.join(5)
    assert (found, house.asked) == ([True] * 8, 1)


def test_a_list_that_does_not_come_is_waited_for_once_by_all_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat2api.service.entries._WAIT_SECONDS", 0.2)
    houses = [House(stage, replace(STAR, name=name)) for name in ("one", "two", "three")]
    gate = threading.Event()
    for house in houses:
        house.gate = gate
    entries = Entries([house.entry for house in houses])
    for most in (0.4, 0.1):
        began = time.monotonic()
        assert entries.having("x") == []
        assert time.monotonic() - began < most
    assert len(entries.unsure()) == 3
    gate.set()
    for house in houses:
        house.settle()
    assert len(entries.having("x")) == 3


# --- all of them


def test_all_entries(stage: Stage) -> None:
    late = House(stage, replace(NAMED, name="late", priority=5))
    first = House(stage, replace(NAMED, name="first", models=("b", "c"), priority=-1))
    same = House(stage, replace(NAMED, name="same", models=("vendor/m",), priority=5))
    entries = Entries([late.entry, same.entry, first.entry])
    assert [entry.name for entry in entries] == ["first", "late", "same"]
    assert [entry.name for entry in entries.having("b")] == ["first", "late"]
    assert entries.having("x") == []
    assert {model.name: model.owned_by for model in entries.models()} == {
        "b": "first",
        "c": "first",
        "a": "late",
        "vendor/m": "same",
    }
    assert entries.known() == entries.models()
    assert entries.unsure() == []
    assert not Entries()


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("local/a", "a"),
        ("local/vendor/a", "vendor/a"),
        ("local/never-listed", "never-listed"),
        ("local/", None),
        ("/a", None),
        ("a", None),
        ("other/a", None),
    ],
)
def test_names_with_an_upstream_in_front(stage: Stage, model: str, found: str | None) -> None:
    entry = House(stage, NAMED).entry
    expected = None if found is None else (entry, found)
    assert Entries([entry]).prefixed(model) == expected
