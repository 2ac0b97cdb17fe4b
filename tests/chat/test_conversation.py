"""Messages as values."""

from __future__ import annotations

from chat2api.chat.conversation import Image, Message, Reasoning, Text


def test_the_text_of_a_message_is_its_text_parts_and_nothing_between() -> None:
    parts = (Reasoning("hm"), Text("What is "), Image("https://x.test/a.png"), Text("this?"))
    assert Message("user", parts).text == "What is this?"


def test_a_message_without_text() -> None:
    assert Message("user", (Image("https://x.test/a.png"),)).text == ""
