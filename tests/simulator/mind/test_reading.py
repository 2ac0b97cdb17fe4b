"""Reading instructions as a model does: only by what they say."""

from __future__ import annotations

import pytest

from chat2api.simulator.mind.reading import Said, is_instruction, read, unfolded
from chat2api.simulator.mind.situation import Line, Tool

NONCE = "gabc1234"
PROMPT = f"""# Tools

To call a tool, write:

<tool_call_{NONCE} name="TOOL_NAME">
ARGUMENTS
</tool_call_{NONCE}>

Rules: ARGUMENTS is one JSON object.

1. get_weather
   The weather.
   2. not_a_tool
   Parameters (JSON Schema): none
Parameters (JSON Schema): {{"type":"object","properties":{{"location":{{"type":"string"}}}}}}

2. apply_patch
Input: free text
"""
SYSTEM = Said("system", PROMPT)
HELLO = Said("user", "Hello")


def result(text: str, name: str = "get_weather", nonce: str = NONCE) -> str:
    return f'<tool_result_{nonce} id="1" name="{name}">\n{text}\n</tool_result_{nonce}>'


def test_tools_and_marks() -> None:
    reading = read([SYSTEM, Said("system", "Be kind."), HELLO])
    weather, patch = reading.situation.tools
    assert reading.nonce == NONCE
    assert weather.name == "get_weather"
    assert weather.schema == {"type": "object", "properties": {"location": {"type": "string"}}}
    assert weather.description.startswith("The weather.")
    assert patch == Tool("apply_patch", "", None)
    assert reading.situation.lines[1:] == (Line("system", "Be kind."), Line("user", "Hello"))
    situation = reading.situation
    assert (situation.must_call, situation.wants_json, situation.parallel) == (False, False, True)


@pytest.mark.parametrize(
    ("rule", "named", "parallel"),
    [
        ("you must call the tool get_weather, and no other.", "get_weather", True),
        ("you must call at least one of the tools. Write at most one call.", None, False),
    ],
)
def test_what_must_be(rule: str, named: str | None, parallel: bool) -> None:
    situation = read([Said("system", f"{PROMPT}\n{rule}"), HELLO]).situation
    assert situation.must_call
    assert (situation.named, situation.parallel) == (named, parallel)


def test_forms_of_the_answer() -> None:
    some = read([Said("system", "Answer with one JSON object."), HELLO]).situation
    assert (some.wants_json, some.schema) == (True, None)
    schema = read([Said("system", 'So:\nJSON Schema: {"type":"array"}\nEnd.'), HELLO]).situation
    assert (schema.wants_json, schema.schema) == (True, {"type": "array"})
    both = read([SYSTEM, Said("system", 'JSON Schema: {"a":1}'), HELLO]).situation
    assert (len(both.tools), both.schema) == (2, {"a": 1})


def test_results_in_messages_of_the_user() -> None:
    told = Said("user", f"{result('12 C')}\n{result('say <b>', 'apply_patch')}")
    lines = read([SYSTEM, HELLO, Said("assistant", "x"), told]).situation.lines
    assert lines[-2:] == (
        Line("result", "12 C", "get_weather"),
        Line("result", "say <b>", "apply_patch"),
    )
    assert read([Said("tool", "7")]).situation.lines == (Line("result", "7"),)


def test_being_told_that_an_answer_will_not_do() -> None:
    complaint = Said("user", "Your previous answer is not valid: no.")
    answer = Said("assistant", "x")
    assert read([SYSTEM, HELLO, answer, complaint]).situation.told == 1
    assert read([SYSTEM, complaint]).situation.told == 0
    assert read([HELLO, answer, Said("user", "What was your previous answer?")]).situation.told == 0
    # What was explained in the turn before is still known then.
    assert len(read([complaint], [SYSTEM, HELLO, answer]).situation.tools) == 2


def test_instructions_of_earlier_turns_are_over() -> None:
    earlier = [Said("system", PROMPT.replace(NONCE, "hold0000")), HELLO, Said("assistant", "x")]
    reading = read([Said("user", "And now?")], earlier)
    assert (reading.situation.tools, reading.nonce) == ((), None)
    assert len(reading.situation.lines) == 4
    assert read([SYSTEM, Said("user", "And now?")], earlier).nonce == NONCE


def test_marks_are_learnt_from_earlier_calls_too() -> None:
    called = Said("assistant", f'<tool_call_{NONCE} name="f" id="1">\n{{}}\n</tool_call_{NONCE}>')
    assert read([HELLO, called, Said("user", result("x"))]).nonce == NONCE


def test_a_history_told_in_one_message() -> None:
    said = [SYSTEM, HELLO, Said("assistant", "Hi\n\nthere"), Said("user", result("1"))]
    told = "\n\n".join(f"{one.role.capitalize()}: {one.text}" for one in said)
    assert unfolded([Said("user", told)]) == said
    assert read([Said("user", told)]) == read(said)
    for text in ("Hello", "User: Hello", "x\n\nUser: a\n\nAssistant: b"):
        assert unfolded([Said("user", text)]) == [Said("user", text)]


def test_a_parameter_list_that_is_no_json() -> None:
    broken = PROMPT.replace('{"type":"object",', '{"type" 1,')
    assert read([Said("system", broken), HELLO]).situation.tools[0].schema == {}


def test_what_is_an_instruction() -> None:
    assert is_instruction(PROMPT)
    assert is_instruction("Give\nJSON Schema: {}")
    assert not is_instruction("Be kind.")
