"""providers.chatgpt.transcript: messages take turns, and say together how the turn stands."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.chat.events import ReasoningDelta, TextDelta
from chat2api.codecs.rope import Rope
from chat2api.errors import UpstreamRateLimited
from chat2api.providers.chatgpt.outlet import Outlet
from chat2api.providers.chatgpt.transcript import Transcript

BLOCK = "\ue200cite\ue202turn0search0\ue201"


class Turn:
    """A transcript and what came out of it."""

    def __init__(self, *own_ids: str) -> None:
        self.outlet = Outlet()
        self.answers: list[str] = []
        self.transcript = Transcript(
            own_ids, (), self.outlet, show_code=True, on_answer=self.answers.append, clock=lambda: 0.0
        )  # fmt: skip

    def see(self, message: dict[str, Any]) -> list[Any]:
        self.transcript.see(message, "?")
        return self.outlet.drain()


@pytest.fixture
def turn() -> Turn:
    return Turn("u")


def test_held_text_comes_before_what_another_message_says(turn: Turn, wire) -> None:
    assert turn.see(wire.message("a", f"One {BLOCK} two")) == [TextDelta("One ")]
    assert turn.see(wire.message("b", "Three")) == [TextDelta(" two\n\nThree")]


def test_growth_of_another_message_lets_held_text_go(turn: Turn, wire) -> None:
    rope = Rope("Three")
    content = {"content_type": "text", "parts": [rope]}
    track = turn.transcript.see(wire.message("b", content=content), "?")
    turn.see(wire.message("a", f"One {BLOCK} two"))

    rope.append(", four")
    turn.transcript.grow(track)

    assert turn.outlet.drain() == [TextDelta(" two\n\n, four")]


def test_the_next_event_decides_even_if_it_is_hidden(turn: Turn, wire) -> None:
    turn.see(wire.message("a", f"One {BLOCK} two"))

    assert turn.see(wire.message("s", role="system")) == [TextDelta(" two")]


def test_searches_of_one_message_explain_blocks_of_another(turn: Turn, wire) -> None:
    ref = {"turn_index": 0, "ref_type": "search", "ref_index": 0}
    groups = [{"entries": [{"title": "A", "url": "https://a.org", "ref_id": ref}]}]
    turn.see(wire.message("w", role="tool", meta={"search_result_groups": groups}))
    turn.see(wire.message("a", f"One {BLOCK}"))
    turn.transcript.conclude()

    assert turn.outlet.drain()[0] == TextDelta("([A](https://a.org))")


def test_answers_are_told_once_and_own_messages_never(turn: Turn, wire) -> None:
    turn.see(wire.message("u", "mine"))
    turn.see(wire.message("a", "One"))
    turn.see(wire.message("b", "Two"))
    turn.see(wire.message("a", "One more"))

    assert turn.answers == ["a", "b"]


def test_an_unfinished_program_is_closed_by_what_follows(turn: Turn, wire) -> None:
    program = wire.message("k", "1", recipient="python")

    assert turn.see(program) == [TextDelta("\n```python\n1")]
    assert turn.see(wire.message("a", "Two")) == [TextDelta("\n```\nTwo")]


def test_a_message_may_change_its_kind(turn: Turn, wire) -> None:
    turn.see(wire.message("m", "Hm", channel="commentary"))

    assert turn.see(wire.message("m", "Hm, yes")) == [TextDelta(", yes")]
    assert turn.see(wire.message("m", "Hm, yes", recipient="bio")) == []
    assert turn.see(wire.message("n", "x", recipient="bio")) == []
    assert turn.see(wire.message("n", "x", channel="commentary")) == [ReasoningDelta("\n\nx")]


def test_a_message_without_an_id_is_known_by_its_place(turn: Turn, wire) -> None:
    message = wire.message("", "One")
    message["id"] = None
    turn.see(message)

    assert turn.answers == ["?"]


def test_a_spent_quota_is_raised(turn: Turn, wire) -> None:
    with pytest.raises(UpstreamRateLimited):
        turn.see(wire.message("t", "generating images too quickly", role="tool"))


@pytest.mark.parametrize(
    ("fields", "answered", "ending"),
    [
        ({}, False, "stop"),
        ({"done": True}, True, "stop"),
        ({"done": True, "end_turn": None}, True, "stop"),
        ({"done": True, "end_turn": False}, False, "stop"),
        ({"status": "finished_partial_completion"}, True, "length"),
        ({"done": True, "meta": {"finish_details": {"type": "max_tokens"}}}, True, "length"),
        ({"done": True, "meta": {"finish_details": {"type": "interrupted"}}}, True, "interrupted"),
    ],
)
def test_how_the_turn_stands(turn: Turn, wire, fields: Any, answered: bool, ending: str) -> None:
    assert not turn.transcript.is_answered
    assert turn.transcript.ending == "stop"

    turn.see(wire.message("a", "Hi", **fields))

    assert turn.transcript.is_answered is answered
    assert turn.transcript.ending == ending


def test_a_finished_text_before_a_tool_call_is_no_end(turn: Turn, wire) -> None:
    turn.see(wire.message("a", "Let me see", done=True, end_turn=None))
    turn.see(wire.message("k", "1", recipient="python"))

    assert not turn.transcript.is_answered


def test_an_idle_conversation_is_whole_when_nothing_is_in_work(turn: Turn, wire) -> None:
    def tracks(*messages: dict[str, Any]) -> list[Any]:
        return [turn.transcript.see(message, "?") for message in messages]

    working = wire.message(
        "g", role="tool", content={"content_type": "multimodal_text", "parts": []}
    )
    answer = wire.message("a", "Failed, sorry.", done=True)

    assert not turn.transcript.is_whole([])
    assert not turn.transcript.is_whole(tracks(working, answer))
    assert turn.transcript.is_whole(tracks({**working, "status": "finished_successfully"}, answer))


def test_sources_of_visible_messages_only(turn: Turn, wire) -> None:
    def citing(url: str) -> dict[str, Any]:
        return {"content_references": [{"items": [{"url": url, "title": "T"}]}]}

    turn.see(wire.message("a", "One", meta=citing("https://a.org")))
    turn.see(wire.message("m", "Two", channel="commentary", meta=citing("https://b.org")))

    assert [source.url for source in turn.transcript.sources()] == ["https://a.org"]
