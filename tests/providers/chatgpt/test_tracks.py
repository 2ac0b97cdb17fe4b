"""providers.chatgpt.tracks: each kind of message says what is new of it."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import ReasoningDelta, TextDelta
from chat2api.chat.fold import fold
from chat2api.codecs.rope import Rope
from chat2api.providers.chatgpt.messages import Kind
from chat2api.providers.chatgpt.outlet import Outlet
from chat2api.providers.chatgpt.references import References, SearchResults
from chat2api.providers.chatgpt.tracks import Track, new_track


def made(kind: Kind, *, show_code: bool = True) -> Track:
    return new_track("m", kind, 1, Outlet(), References(SearchResults()), show_code=show_code)


def say(track: Track, *states: dict[str, Any]) -> list[Any]:
    """The events after each state of the message."""
    found = []
    for state in states:
        track.message = state
        track.advance()
        found.append(track.outlet.drain())
    return found


def parts(*texts: Any) -> dict[str, Any]:
    return {"content": {"content_type": "text", "parts": list(texts)}}


def test_parts_follow_one_another() -> None:
    track = made(Kind.ANSWER)

    assert say(
        track, parts("One"), parts("One", ""), parts("One, ", "two"), parts("!", "two!")
    ) == [
        [TextDelta("One")],
        [],
        [TextDelta(", two")],
        [TextDelta("!")],
    ]


def test_a_rope_is_followed_in_place() -> None:
    track = made(Kind.REASONING)
    rope = Rope("Hm")
    assert say(track, parts(rope)) == [[ReasoningDelta("Hm")]]

    rope.append("?")
    track.grow()

    assert track.outlet.drain() == [ReasoningDelta("?")]


def test_held_text_may_be_rewritten() -> None:
    track = made(Kind.ANSWER)

    assert say(track, parts("Two \ue200ci"), parts("Two moons"), parts("Two moons \ue200x")) == [
        [TextDelta("Two ")],
        [TextDelta("moons")],
        [TextDelta(" ")],
    ]


def test_marks_in_reasoning_are_not_sources() -> None:
    track = made(Kind.REASONING)
    reference = {
        "matched_text": "\ue200cite\ue201",
        "items": [{"title": "A", "url": "https://a.org"}],
    }
    track.references.update({"content_references": [reference]}, rewritten=True)

    assert say(track, parts("a\ue200cite\ue201")) == [[ReasoningDelta("a([A](https://a.org))")]]


def thoughts(*items: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"content_type": "thoughts", "thoughts": list(items)}}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([[]], ""),
        ([[{"summary": "A"}]], "A"),
        ([[{"summary": "A"}], [{"summary": "A", "content": "a"}]], "A\na"),
        ([[{"summary": "A", "content": "a"}, {"summary": "B", "content": "b"}]], "A\na\n\nB\nb"),
        ([[{"content": "a"}, {"content": "b"}]], "a\n\nb"),
        ([[{"summary": "A", "chunks": ["x", {"content": "y"}, 5]}]], "A\nxy"),
        ([[{"chunks": ["x"]}], [{"chunks": ["x", "y"]}]], "xy"),
        # A summary that grows or changes behind its content stays as it went out.
        ([[{"summary": "A", "content": "a"}], [{"summary": "A more", "content": "ab"}]], "A\nab"),
        ([[{"summary": "A"}], [{"summary": "Other"}], [{"summary": "Other", "content": "a"}]], "A\na"),
        # An earlier thought is over when a later one speaks, not before.
        ([[{"summary": "A"}, {"summary": ""}], [{"summary": "AB"}, {}]], "AB"),
        ([[{"summary": "A"}, {"summary": "B"}], [{"summary": "AX"}, {"summary": "BY"}]], "A\n\nBY"),
        ([[None, 5, {"summary": None, "content": None}]], ""),
    ],
)  # fmt: skip
def test_thoughts(states: list[list[Any]], expected: str) -> None:
    events = say(made(Kind.THOUGHTS), *(thoughts(*state) for state in states))

    assert fold(event for found in events for event in found).reasoning == expected


def code(text: str, status: str = "in_progress") -> dict[str, Any]:
    return {"content": {"content_type": "code", "text": text}, "status": status}


def test_a_program_stands_in_a_fence() -> None:
    track = made(Kind.SOURCE)

    assert say(
        track, code(""), code("1 "), code("1 + 1"), code("1 + 1", "finished_successfully")
    ) == [
        [],
        [TextDelta("\n```python\n1 ")],
        [TextDelta("+ 1")],
        [TextDelta("\n```\n")],
    ]


def test_output_is_shown_when_it_is_whole() -> None:
    track = made(Kind.OUTPUT)

    assert say(track, code("5"), code("50", "finished_successfully"), code("50", "finished_successfully")) == [
        [],
        [TextDelta("\n```Output\n50\n```\n")],
        [],
    ]  # fmt: skip


def test_output_cut_short_is_shown_at_the_end() -> None:
    track = made(Kind.OUTPUT)
    assert say(track, code("5")) == [[]]

    track.conclude()

    assert track.outlet.drain() == [TextDelta("\n```Output\n5\n```\n")]


@pytest.mark.parametrize("kind", [Kind.SOURCE, Kind.OUTPUT])
def test_code_can_be_hidden(kind: Kind) -> None:
    assert say(made(kind, show_code=False), code("x", "finished_successfully")) == [[]]


@pytest.mark.parametrize("kind", [Kind.HIDDEN, Kind.PICTURES, Kind.TOOL_TEXT, Kind.SYSTEM_ERROR])
def test_other_kinds_say_nothing(kind: Kind) -> None:
    track = made(kind)
    assert say(track, parts("secret")) == [[]]

    track.grow()
    track.conclude()

    assert not track.waiting
    assert track.outlet.drain() == []
