"""Reading scripts."""

from __future__ import annotations

import pytest

from chat2api.simulator.mind.script import read
from chat2api.simulator.mind.situation import Call, Say, Think, Value
from chat2api.simulator.params import BadParameter


def test_steps_and_styles() -> None:
    play = read(
        '/sim agent style=fence+prose\nthink Hm.\nsay One\ntwo\ncall f {"a": 1}\ncall g\n---\n'
        'json {"b": 2}\n---\n'
    )
    assert play is not None
    assert play.steps == (
        (Think("Hm."), Say("One\ntwo"), Call("f", '{"a": 1}'), Call("g", "{}")),
        (Value('{"b": 2}'),),
    )
    assert play.styles == {"fence", "prose"}


def test_the_input_of_a_custom_tool_may_have_lines() -> None:
    play = read("/sim agent\ncall apply_patch *** Begin\n+ a\n  b\ncall run\nls -l")
    assert play is not None
    assert play.steps == ((Call("apply_patch", "*** Begin\n+ a\n  b"), Call("run", "ls -l")),)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("/sim agent style=think\nWeather in Rome?", "Weather in Rome?"),
        ("/sim agent", ""),
    ],
)
def test_without_steps_the_rest_is_what_was_said(message: str, text: str) -> None:
    play = read(message)
    assert play is not None
    assert (play.steps, play.text) == ((), text)


@pytest.mark.parametrize("message", ["Hello", "/sim text\nsay x", "say x", "/sim"])
def test_what_is_no_script(message: str) -> None:
    assert read(message) is None


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("/sim agent style=loud", "no style `loud`"),
        ("/sim agent\nsay x\n---\nwhat", "not `what`"),
        ("/sim agent\ncall", "needs the name"),
        ("/sim agent 'x", "cannot read"),
    ],
)
def test_what_cannot_be_read_is_named(message: str, problem: str) -> None:
    with pytest.raises(BadParameter, match=problem):
        read(message)
