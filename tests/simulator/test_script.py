"""What a scenario expects of its reader."""

from __future__ import annotations

from chat2api.simulator.script import Expected


def test_what_is_not_said_follows_from_the_text() -> None:
    assert Expected("Hi").as_json() == {
        "text": "Hi",
        "raw": "Hi",
        "markdown": "Hi",
        "reasoning": "",
        "images": [],
        "finish_reason": "stop",
    }


def test_what_is_said_stands() -> None:
    expected = Expected("Hi", raw="", markdown="**Hi**", images=("p",), finish_reason="length")
    assert expected.as_json() == {
        "text": "Hi",
        "raw": "",
        "markdown": "**Hi**",
        "reasoning": "",
        "images": ["p"],
        "finish_reason": "length",
    }
