"""The echo: in the user's language, with a memory, as Markdown."""

from __future__ import annotations

import pytest

from chat2api.simulator.scenarios.talk import echo
from chat2api.simulator.turn import Turn


@pytest.mark.parametrize(
    ("prompt", "begins", "counts"),
    [
        ("How are you today?", "Hello!", "4 words in 18 characters"),
        ("Hi", "Hello!", "1 word in 2 characters"),
        ("今天天气怎么样？", "你好！", "一共 8 个字符"),
    ],
)
def test_it_answers_in_the_language_it_was_asked_in(prompt: str, begins: str, counts: str) -> None:
    text = echo(Turn(prompt, "auto")).expected.text
    assert text.startswith(begins)
    assert f"> {prompt}" in text
    assert counts in text
    assert "\n- `/sim" in text
    assert "```python\n" in text
    assert text.count("\n\n") > 5


def test_it_remembers_how_the_conversation_began() -> None:
    turn = Turn("And now?", "auto", number=3, opening="Tell me a story", system="Be brief.")
    text = echo(turn).expected.text
    assert "turn **3**" in text
    assert "“Tell me a story”" in text
    assert "“Be brief.”" in text


def test_it_quotes_only_the_beginning_of_a_long_message() -> None:
    text = echo(Turn("x" * 5000, "auto")).expected.text
    assert "> " + "x" * 280 + "…" in text
    assert len(text) < 2500
