"""The state behind the routes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chat2api.simulator.config import Config
from chat2api.simulator.simulator import Simulator


def test_a_wrong_change_changes_nothing() -> None:
    simulator = Simulator(Config(pacing=7))
    with pytest.raises(ValidationError):
        simulator.configure({"pacing": 8, "difficulty": "?"})
    assert simulator.config == Config(pacing=7)


def test_a_reset_goes_back_to_the_start() -> None:
    simulator = Simulator(Config(pacing=7))
    accounts = simulator.accounts.all()
    simulator.configure({"pacing": 8})
    simulator.conversations.create("c1", "ann", "", "")
    simulator.reset()
    assert simulator.config.pacing == 7
    assert simulator.conversations.find("c1", "ann") is None
    assert simulator.accounts.all() == accounts


def test_turns_are_counted_by_owner() -> None:
    simulator = Simulator(Config(max_parallel_turns=1))
    assert [simulator.enter("ann"), simulator.enter("ann"), simulator.enter("bob")] == [
        True,
        False,
        True,
    ]
    simulator.leave("ann")
    assert simulator.enter("ann")


def test_only_the_owner_stops_a_stream() -> None:
    simulator = Simulator(Config())
    event = simulator.begin("ann", "c1")
    assert simulator.running() == [("ann", "c1")]
    assert not simulator.stop("bob", "c1")
    assert simulator.stop("ann", "c1")
    assert event.is_set()
    simulator.end("ann", "c1")
    assert simulator.running() == []
