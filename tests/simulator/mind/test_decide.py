"""What comes next: the step that is due, or what a willing model would do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chat2api.simulator.mind.decide import decide
from chat2api.simulator.mind.situation import Call, Line, Say, Situation, Tool, Value
from chat2api.simulator.params import BadParameter

WEATHER = Tool(
    "get_weather",
    "",
    {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
)
SCRIPT = (
    '/sim agent\nsay First.\ncall get_weather {"location": "Oslo"}\n---\nsay It is {result}; {result:2}\n'
    '---\njson {"told": "{result:1}"}\n---\ncall get_weather {"location": "{result}"}'
)


def acts(*said: tuple[str, str], tools: tuple[Tool, ...] = (WEATHER,), **fields: Any) -> Any:
    lines = tuple(Line(role, text) for role, text in said)  # type: ignore[arg-type]
    decision = decide(Situation(lines, tools, **fields))
    return None if decision is None else decision.acts


USER, RESULT = ("user", SCRIPT), ("result", 'cold "C"')
ANSWER = ("assistant", "")


def test_a_script_step_by_step() -> None:
    call = Call("get_weather", '{"location": "Oslo"}')
    assert acts(USER) == (Say("First."), call)
    assert acts(USER, ANSWER, RESULT) == (Say('It is cold "C"; (no result)'),)
    later = acts(USER, ANSWER, RESULT, ANSWER, ("user", "Go on"))
    assert later == (Value('{"told": "cold \\"C\\""}'),)
    assert json.loads(later[0].text) == {"told": 'cold "C"'}
    fourth = acts(USER, ANSWER, RESULT, ANSWER, ("user", "Go on"), ANSWER, ("user", "On"))
    assert fourth == (Call("get_weather", '{"location": "cold \\"C\\""}'),)


def test_parts_of_an_answer_count_once_and_refused_answers_not_at_all() -> None:
    assert acts(USER, ANSWER, ANSWER, RESULT)[0].text.startswith("It is cold")
    assert acts(USER, ANSWER, ("told", "not so"))[0] == Say("First.")
    assert acts(USER, ANSWER, ("told", "no"), ANSWER, ("told", "no"))[0] == Say("First.")


def test_after_the_last_step() -> None:
    done = (USER, ANSWER, RESULT, ANSWER, ("user", "on"), ANSWER, ("user", "on"), ANSWER)
    assert acts(*done, ("result", "warm"))[0].text == 'Here is what I found: cold "C"\nwarm'
    assert acts(("user", "/sim agent\nsay x"), ANSWER) == (Say("That was all."),)
    # Whoever speaks then gets an answer of its own.
    assert acts(*done, ("user", "Weather in Rome?")) == (
        Call("get_weather", '{"location": "Rome"}'),
    )
    assert acts(*done, ("user", "Thanks")) is None


def test_by_itself() -> None:
    asked = ("user", "Weather in Rome?")
    assert acts(asked) == (Call("get_weather", '{"location": "Rome"}'),)
    assert acts(asked, ANSWER, ("result", "12 C")) == (Say("Here is what I found: 12 C"),)
    assert acts(asked, ANSWER, ("result", "12 C"), must_call=True) == acts(asked)
    assert acts(("user", "Hello")) is None
    assert acts(("user", "Hello"), tools=()) is None
    assert acts() is None


def test_json_by_itself() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    assert acts(("user", "I am 7"), wants_json=True, schema=schema, tools=()) == (
        Value('{"n": 7}'),
    )
    assert acts(("user", "I am 7"), wants_json=True, tools=()) == (Value('{"answer": "I am 7"}'),)
    # What tools gave comes first.
    asked = (("user", "I am 7"), ANSWER, ("result", "You are 8"))
    assert acts(*asked, wants_json=True, schema=schema) == (Value('{"n": 8}'),)
    ended = (("user", "/sim agent\nsay x"), ANSWER, ("result", "9"))
    assert acts(*ended, wants_json=True, schema=schema) == (Value('{"n": 9}'),)


def test_a_style_without_steps() -> None:
    said = ("user", "/sim agent style=unknown\nWeather in Rome?")
    assert acts(said) == (Call("no_such_tool", '{"location": "Rome"}'),)
    assert acts(("user", "/sim agent style=fence\nHello")) == (Say("Hello"),)
    assert acts(("user", "/sim agent")) == (Say("Hello."),)
    # It is over with the next message.
    assert acts(said, ANSWER, ("result", "x"), ANSWER, ("user", "Weather in Oslo")) == (
        Call("get_weather", '{"location": "Oslo"}'),
    )


def test_a_script_that_cannot_be_read() -> None:
    with pytest.raises(BadParameter, match="no style"):
        acts(("user", "/sim agent style=loud"))
