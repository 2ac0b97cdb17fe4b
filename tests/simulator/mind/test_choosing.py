"""Which tools a text asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.simulator.mind.choosing import calls_for
from chat2api.simulator.mind.situation import Situation, Tool


def schema(*required: str, kind: str = "string") -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name in required},
        "required": list(required),
    }


TOOLS = (
    Tool("get_weather", "Get the current weather of a place.", schema("location")),
    Tool("get_time", "The clock of a city.", schema("city")),
    Tool("multiply", "Multiplies two numbers.", schema("a", "b", kind="number")),
    Tool("run_code", "Runs Python.", None),
)


def chosen(text: str, **fields: Any) -> list[tuple[str, Any]]:
    calls = calls_for(Situation((), TOOLS, **fields), text)
    is_custom = {"run_code"}
    return [
        (one.name, one.arguments if one.name in is_custom else json.loads(one.arguments))
        for one in calls
    ]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (
            "What's the weather like in San Francisco?",
            [("get_weather", {"location": "San Francisco"})],
        ),
        ("The time in Rome?", [("get_time", {"city": "Rome"})]),
        ("What is 6 * 7?", [("multiply", {"a": 6, "b": 7})]),
        ("use run_code for 'print(1)'", [("run_code", "print(1)")]),
        (
            "Weather in Paris and Rome",
            [("get_weather", {"location": "Paris"}), ("get_weather", {"location": "Rome"})],
        ),
        (
            "Current weather, and time of the clock, in Oslo",
            [("get_weather", {"location": "Oslo"}), ("get_time", {"city": "Oslo"})],
        ),
        ("Tell me a joke", []),
        ("", []),
    ],
)
def test_words_and_numbers_choose(text: str, calls: list[Any]) -> None:
    assert chosen(text) == calls


def test_one_call_only() -> None:
    assert len(chosen("Weather in Paris and Rome", parallel=False)) == 1


def test_a_call_that_must_be() -> None:
    assert chosen("Tell me a joke", must_call=True)[0][0] == "get_weather"
    assert chosen("Weather in Rome", must_call=True, named="get_time") == [
        ("get_time", {"city": "Rome"})
    ]
    assert chosen("Weather in Rome", must_call=True, named="unheard_of") == []
