"""Tokens and messages, the material of scripts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chat2api.simulator.script import Edit, Open, Tell, Write
from chat2api.simulator.turn import Scribe, Turn, tokens


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


def test_tokens_are_about_the_size_of_words() -> None:
    assert tokens("Hello there, **you**!\n\n你好世界。") == [
        *("Hello", " there", ",", " ", "**", "you", "**", "!", "\n\n", "你好", "世界", "。")
    ]


def test_an_answer_in_steps() -> None:
    scribe = Scribe(Turn("Hi", "gpt-5-5", conversation_id="c1", parent_id="u1"))
    scribe.answer("Good day")
    opened, visible, final, first, second, end = scribe.steps
    assert isinstance(opened, Open)
    assert opened.message["metadata"]["parent_id"] == "u1"
    assert (opened.message["channel"], opened.message["status"]) == ("final", "in_progress")
    assert [isinstance(one, Tell) for one in (visible, final)] == [True, True]
    assert (first, second) == (Write("Good"), Write(" day"))
    assert isinstance(end, Edit)
    assert [one.path for one in end.operations] == [
        "/message/status",
        "/message/end_turn",
        "/message/metadata",
    ]


def test_the_older_answer_has_no_channel_and_no_markers() -> None:
    scribe = Scribe(Turn("Hi", "gpt-4o", era="2024"))
    scribe.answer("Good")
    opened: Any = scribe.steps[0]
    assert opened.message["channel"] is None
    assert not any(isinstance(one, Tell) for one in scribe.steps)
