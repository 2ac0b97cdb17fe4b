"""The list of scenarios, and the page that shows it."""

from __future__ import annotations

import pytest

from chat2api.simulator.params import BadParameter
from chat2api.simulator.scenarios.registry import SCENARIOS, find, help_page
from chat2api.simulator.turn import Turn


def test_names_are_keys_and_everything_is_described() -> None:
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.about


def test_an_unknown_scenario_is_named() -> None:
    with pytest.raises(BadParameter, match="`nothing`"):
        find("nothing")


def test_the_help_page_lists_scenarios_and_faults() -> None:
    text = help_page(Turn("/sim", "auto")).expected.text
    assert "| `reasoning` | `commentary=1 think=0.4` |" in text
    assert "| `reset` |" in text


def test_reasoning_models_think_before_they_echo() -> None:
    play = find("echo").play
    assert play is not None
    assert play(Turn("Hi", "o3")).expected.reasoning
    assert not play(Turn("Hi", "gpt-4o")).expected.reasoning
