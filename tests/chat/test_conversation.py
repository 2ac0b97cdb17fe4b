"""Messages as values."""

from __future__ import annotations

from chat2api.chat.conversation import (
    Image,
    Message,
    Reasoning,
    Sampling,
    Text,
    ToolChoice,
    ToolSpec,
)


def test_the_text_of_a_message_is_its_text_parts_and_nothing_between() -> None:
    parts = (Reasoning("hm"), Text("What is "), Image("https://x.test/a.png"), Text("this?"))
    assert Message("user", parts).text == "What is this?"


def test_a_message_without_text() -> None:
    assert Message("user", (Image("https://x.test/a.png"),)).text == ""


def test_which_tools_a_choice_allows() -> None:
    search, now = (ToolSpec(name, "", {"type": "object"}) for name in ("search", "now"))
    assert ToolChoice().allowed((search, now)) == (search, now)
    assert ToolChoice("none").allowed((search, now)) == ()
    assert ToolChoice("required", ("now",)).allowed((search, now)) == (now,)


def test_which_knobs_were_set() -> None:
    assert Sampling().given == ()
    assert Sampling(temperature=0.0, seed=0).given == ("temperature", "seed")
