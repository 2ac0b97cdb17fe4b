"""The mind on the wire of the web: in both generations, with thoughts, cut short, over several turns."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.mind.reading import Said
from chat2api.simulator.scenarios.agent import GREETING, agent, unasked
from chat2api.simulator.turn import Turn

PROMPT = """To call a tool:
<tool_call_gabc1234 name="TOOL_NAME">
ARGUMENTS
</tool_call_gabc1234>

1. get_weather
   The weather of a place.
Parameters (JSON Schema): {"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}
"""
CALL = '<tool_call_gabc1234 name="get_weather">\n{"city": "Rome"}\n</tool_call_gabc1234>'
RESULT = '<tool_result_gabc1234 id="1" name="get_weather">\n12 C\n</tool_result_gabc1234>'


def turn(*texts: str, model: str = "gpt-5-5", era: Any = "2026", system: str = PROMPT) -> Turn:
    """Messages of user and assistant by turns."""
    roles = ("user", "assistant")
    said = [Said(roles[at % 2], text) for at, text in enumerate(texts)]
    return Turn(texts[-1], model, era=era, said=(Said("system", system), *said))


def test_it_calls_and_then_tells_the_result() -> None:
    assert agent(turn("Weather in Rome?")).expected.text == CALL
    told = agent(turn("Weather in Rome?", CALL, RESULT)).expected.text
    assert told == "Here is what I found: 12 C"
    assert agent(turn("Hi")).expected.text == GREETING


def test_what_does_not_concern_it_is_left_alone() -> None:
    assert unasked(turn("Hi")) is None
    assert unasked(turn("Weather in Rome?", system="Be kind.")) is None
    script = unasked(turn("Weather in Rome?"))
    assert script is not None
    assert script.expected.text == CALL


@pytest.mark.parametrize("era", ["2024", "2026"])
def test_thoughts_come_first(era: str, calling: Any, read: Any) -> None:
    caller = calling(0)
    script = "/sim agent\nthink One.\nthink Two.\nsay Done."
    reading = caller.read(script, era=era)
    assert reading.text == "Done."
    assert "One." in reading.reasoning
    assert "Two." in reading.reasoning
    assert reading.reasoning == agent(turn(script, era=era)).expected.reasoning


def test_a_reasoning_model_thinks_even_so() -> None:
    expected = agent(turn("Weather in Rome?", model="gpt-5-5-thinking")).expected
    assert (expected.text, bool(expected.reasoning)) == (CALL, True)
    assert agent(turn("Weather in Rome?")).expected.reasoning == ""


def test_cut_short(caller: Any) -> None:
    reading = caller.read('/sim agent style=length\njson {"long": "value"}')
    assert (reading.text, reading.finish_reason) == ('{"long":', "length")


def test_the_default_scenario_follows_instructions(caller: Any, control: Any) -> None:
    body = caller.body("Weather in Rome?")
    prompt = caller.body(PROMPT)["messages"][0]
    prompt["author"]["role"] = "system"
    asked = {"messages": [prompt, *body["messages"]]}
    assert caller.read(**asked).text == CALL
    # The echo tells what it was told; instructions are not that.
    body = caller.body("Hi")
    assert "tool_call" not in caller.read(messages=[prompt, *body["messages"]]).text


def test_a_script_goes_on_in_a_kept_conversation(caller: Any) -> None:
    first = caller.read("/sim agent\nsay One\n---\nsay Two")
    more = {"conversation_id": first.conversation_id, "parent_message_id": first.answer_id}
    second = caller.read("Go on", **more)
    assert (first.text, second.text) == ("One", "Two")
    more["parent_message_id"] = second.answer_id
    assert "You wrote" in caller.read("Go on", **more).text


def test_a_script_that_cannot_be_read_is_answered_with_help(caller: Any) -> None:
    text = caller.read("/sim agent style=loud").text
    assert "there is no style `loud`" in text
    assert "`agent`" in text
