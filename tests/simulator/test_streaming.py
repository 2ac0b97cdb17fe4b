"""Streams on their way out."""

from __future__ import annotations

from typing import Any

from chat2api.simulator.script import Wait, Write
from chat2api.simulator.streaming import ended, lively, paced
from chat2api.simulator.wire.items import DONE, Comment, Frame, Pause

TEXT, EVENT = Frame("text", tokens=2), Frame("event")


def test_the_pace_counts_tokens() -> None:
    items = [EVENT, TEXT, Comment("x"), TEXT]
    expected = [EVENT, Pause(0.5), TEXT, Comment("x"), Pause(0.5), TEXT]
    assert list(paced(iter(items), 0.25)) == expected
    assert list(paced(iter(items), 0)) == items


def test_only_wanted_pauses_stay_in_an_unpaced_answer() -> None:
    steps = [Wait(1), Write("a"), Wait(2, always=True)]
    assert lively(steps, 0) == [Write("a"), Wait(2, always=True)]
    assert lively(steps, 0.1) == steps


def test_the_end_marker_is_a_choice() -> None:
    assert list(ended(iter([TEXT]), True)) == [TEXT, DONE]
    assert list(ended(iter([TEXT]), False)) == [TEXT]


def test_resuming_skips_what_was_seen_but_never_the_end(caller: Any, read: Any) -> None:
    whole = caller.talk("/sim text")
    first = read(whole.body)
    headers = {"x-conduit-token": next(iter(first.tokens.values()))}
    bodies = {
        offset: caller.post(
            "/f/conversation/resume",
            {"conversation_id": first.conversation_id, "offset": offset},
            headers,
        ).body
        for offset in (0, 1, 10_000)
    }
    assert bodies[0] == whole.body
    assert bodies[1] == whole.body.removeprefix(b'event: delta_encoding\ndata: "v1"\n\n')
    assert bodies[10_000] == b"data: [DONE]\n\n"
