"""Bad manners."""

from __future__ import annotations

import json

import pytest

from chat2api.simulator.mind.manners import broken, misbehave
from chat2api.simulator.mind.situation import Acts, Call, Line, Say, Situation, Tool, Value

NEEDS = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
TOOLS = (Tool("needs", "", NEEDS), Tool("open", "", {"type": "object"}), Tool("free", "", None))
CALL = Call("needs", '{"a": "x"}')


def done(acts: Acts, styles: str, *, told: int = 0) -> Acts:
    lines = (Line("assistant", ""), Line("told", "")) * told
    situation = Situation(lines, TOOLS, schema=NEEDS)
    return misbehave(acts, frozenset(styles.split("+")), situation)


def test_wrong_until_told() -> None:
    assert done((CALL,), "invalid") == (Call("needs", '{"wrong_key": true}'),)
    assert done((CALL,), "invalid", told=1) == (CALL,)
    assert done((CALL,), "invalid2", told=3) != (CALL,)
    assert done((Value("{}"),), "invalid") == (Value('{"wrong_key": true}'),)
    (spoilt,) = done((Call("open", "{}"),), "invalid")
    assert isinstance(spoilt, Call)
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(spoilt.arguments)
    assert done((Call("free", "text"), Say("x")), "invalid") == (Call("free", "text"), Say("x"))


def test_refusing_until_told() -> None:
    (said,) = done((CALL,), "refuse")
    assert isinstance(said, Say)
    assert done((CALL,), "refuse", told=1) == (CALL,)
    assert done((CALL,), "refuse2", told=1) == (said,)
    assert done((Say("x"),), "refuse") == (Say("x"),)


def test_twice_and_unknown() -> None:
    assert done((Say("x"), CALL), "twice") == (Say("x"), CALL, CALL)
    assert done((Say("x"), CALL), "unknown") == (Say("x"), Call("no_such_tool", CALL.arguments))


def test_broken_spelling_can_be_understood() -> None:
    assert broken('{"a": "x", "n": [1, {"b": "c"}], "q": "it\'s"}') == (
        "{'a': 'x', 'n': [1, {\"b\": \"c\"}], 'q': \"it's\",}"
    )
    assert broken("{}") == "{}"
    assert broken("no json") == "no json"
    assert done((CALL, Value('{"a": 1}'), Say("{}")), "broken") == (
        Call("needs", "{'a': 'x',}"),
        Value("{'a': 1,}"),
        Say("{}"),
    )
