"""Scenarios that think first."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.conversations import final_messages
from chat2api.simulator.params import Params
from chat2api.simulator.scenarios.thinking import o1, reasoning, thoughtful_echo
from chat2api.simulator.script import Wait
from chat2api.simulator.turn import Turn


def kinds(script: Any) -> list[str]:
    return [one["content"]["content_type"] for one in final_messages(script.steps)]


def test_announcement_thoughts_recap_answer() -> None:
    script = reasoning(Turn("Is 97 prime?", "o3"))
    assert kinds(script) == ["text", "thoughts", "reasoning_recap", "text"]
    announcement, thinking, _, answer = final_messages(script.steps)
    assert announcement["channel"] == "commentary"
    assert [one["finished"] for one in thinking["content"]["thoughts"]] == [True, True]
    assert answer["content"]["parts"] == [script.expected.text]


def test_the_announcement_can_be_left_out() -> None:
    script = reasoning(Turn("", "o3", params=Params({"commentary": "0"})))
    assert kinds(script) == ["thoughts", "reasoning_recap", "text"]
    assert script.expected.reasoning.startswith("Checking divisors\n")


def test_it_thinks_in_chinese_too() -> None:
    assert "质数" in reasoning(Turn("97 是质数吗？", "o3")).expected.text


def test_thinking_takes_as_long_as_asked() -> None:
    script = reasoning(Turn("", "o3", params=Params({"think": 10})))
    waits = [one for one in script.steps if isinstance(one, Wait)]
    assert [(one.seconds, one.always) for one in waits] == [(5, True), (5, True)]


def test_the_older_form_is_a_growing_tool_message() -> None:
    summary, answer = final_messages(o1(Turn("", "o1-preview", era="2024")).steps)
    assert (summary["author"]["role"], answer["author"]["role"]) == ("tool", "assistant")
    assert summary["metadata"]["initial_text"] == "Reasoning"
    assert summary["metadata"]["finished_text"] == "Thought for 3 seconds"


@pytest.mark.parametrize(("era", "kind"), [("2024", "text"), ("2026", "thoughts")])
def test_the_thoughtful_echo_follows_the_generation(era: Any, kind: str) -> None:
    script = thoughtful_echo(Turn("Hi", "o3", era=era))
    assert kinds(script)[0] == kind
    assert script.expected.reasoning
