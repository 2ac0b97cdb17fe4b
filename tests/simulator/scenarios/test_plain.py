"""Scenarios of text alone."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.params import Params
from chat2api.simulator.scenarios import plain
from chat2api.simulator.script import Write
from chat2api.simulator.turn import Turn


def turn(**params: Any) -> Turn:
    return Turn("Hi", "gpt-5-5", params=Params(params))


def written(script: Any) -> list[str]:
    return [step.text for step in (*script.steps, *script.later) if isinstance(step, Write)]


@pytest.mark.parametrize(
    "play", [plain.text, plain.long, plain.unicode, plain.length, plain.flood, plain.handoff]
)
def test_what_is_written_is_what_is_expected(play: Any) -> None:
    script = play(turn())
    assert "".join(written(script)) == script.expected.text


def test_lengths_are_as_asked_for() -> None:
    assert plain.text(turn(words=3)).expected.text == "word1 word2 word3"
    assert 30_000 < len(plain.long(turn(kb=30)).expected.text.encode()) < 31_000
    assert len(plain.blob(turn(mib=2)).expected.text) == 2 * 1024 * 1024
    assert written(plain.flood(turn(deltas=12))) == list("abcdefghijab")


def test_the_hard_text_holds_what_breaks_careless_readers() -> None:
    pieces = written(plain.unicode(turn()))
    assert {"\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x00", "\u200d", "\ufeff"} <= set(pieces)
    assert all(len(piece) == 1 for piece in pieces)


def test_how_answers_end() -> None:
    assert plain.length(turn()).expected.finish_reason == "length"
    assert plain.refusal(turn()).expected.finish_reason == "content_filter"
    assert plain.continued(turn()).expected.finish_reason == "stop"


def test_a_hand_over_leaves_the_answer_for_later() -> None:
    script = plain.handoff(turn(done="0", takes="3"))
    assert (script.handoff, script.done, script.later_seconds) == (True, False, 3)
    assert not any(isinstance(step, Write) for step in script.steps)
