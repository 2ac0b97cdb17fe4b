"""Acts as text, neat and not."""

from __future__ import annotations

import pytest

from chat2api.simulator.mind.situation import Acts, Call, Decision, Say, Think, Value
from chat2api.simulator.mind.writing import INVENTED, write

NONCE = "gabc1234"
ONE = Call("f", '{"a": 1}')
TWO = Call("g", "text")
OPEN, CLOSE = f'<tool_call_{NONCE} name="f">', f"</tool_call_{NONCE}>"
BLOCK = f'{OPEN}\n{{"a": 1}}\n{CLOSE}'


def text(acts: Acts, styles: str = "", nonce: str | None = NONCE) -> str:
    return write(Decision(acts, frozenset(filter(None, styles.split("+")))), nonce).text


def test_neatly() -> None:
    written = write(Decision((Think("Hm."), Say("Now."), ONE, TWO)), NONCE)
    assert written.thoughts == ("Hm.",)
    assert written.text == f'Now.\n{BLOCK}\n<tool_call_{NONCE} name="g">\ntext\n{CLOSE}'
    assert not written.is_cut


def test_without_marks_a_call_is_only_spoken_of() -> None:
    assert text((ONE,), "prose+think+unclosed+result", nonce=None) == "I have no way to call f."


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("fence", f"```xml\n{BLOCK}\n```"),
        ("innerfence", f'{OPEN}\n```json\n{{"a": 1}}\n```\n{CLOSE}'),
        ("escaped", BLOCK.replace("<", "&lt;").replace(">", "&gt;")),
        ("smart", BLOCK.replace('"f"', "“f”")),
        ("unclosed", BLOCK.removesuffix(f"\n{CLOSE}")),
        ("prose", f"Let me see.\n{BLOCK}\nNow I wait."),
        ("length", f'{OPEN}\n{{"a"'),
    ],
)
def test_styles_of_one_call(style: str, expected: str) -> None:
    assert text((ONE,), style) == expected


def test_prose_between_calls() -> None:
    said = text((Think("Hm."), Say("x"), ONE, ONE), "prose")
    assert said == f"x\nLet me see.\n{BLOCK}\nAnd one thing more.\n{BLOCK}\nNow I wait."


def test_thinking_aloud_and_making_results_up() -> None:
    assert text((Say("x"),), "think").startswith(f"<think>\nI could write <tool_call_{NONCE}")
    said = text((ONE,), "result")
    assert said.startswith(BLOCK)
    assert f"<tool_result_{NONCE}" in said
    assert said.endswith(f"So I know {INVENTED}.")


def test_json() -> None:
    assert text((Value("{}"),)) == "{}"
    assert text((Value("{}"),), "fence") == "```json\n{}\n```"
    assert "\n{}\n" in text((Value("{}"),), "prose")
    written = write(Decision((Value('{"a": 1}'),), frozenset(["length"])), None)
    assert (written.text, written.is_cut) == ('{"a"', True)


def test_what_has_nothing_to_be_cut_in_is_whole() -> None:
    assert text((Say("whole"),), "length") == "whole"
