"""What surrounds an answer on the wire."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.envelope import Surroundings, continuation, wrap
from chat2api.simulator.scenarios.plain import handoff, refusal, text
from chat2api.simulator.script import Open, Step, Tell
from chat2api.simulator.turn import Turn, message, text_content

SENT = message("user", text_content("Hi"), message_id="u1")


def around(**changes: Any) -> Surroundings:
    values = {"inputs": (SENT,), "resume_token": "secret", "first_pause": 0.5}
    return Surroundings(**{**values, "served_model": "gpt-5-5", "title": "Hi", **changes})


def outline(steps: tuple[Step, ...]) -> list[str]:
    """Roles of opened messages and types of events, in order."""
    names = []
    for step in steps:
        if isinstance(step, Open):
            content = step.message["content"]["content_type"]
            role = step.message["author"]["role"]
            names.append(role if content == "text" else content)
        elif isinstance(step, Tell):
            names.append(step.event["type"])
    return names


def test_the_newer_envelope() -> None:
    turn = Turn("Hi", "gpt-5-5")
    assert outline(wrap(text(turn), turn, around())) == [
        "resume_conversation_token",
        "system",
        "system",
        "user",
        "input_message",
        "model_editable_context",
        "assistant",
        "message_marker",
        "message_marker",
        "message_marker",
        "title_generation",
        "server_ste_metadata",
        "message_stream_complete",
    ]


def test_the_older_envelope() -> None:
    turn = Turn("Hi", "gpt-4o", era="2024")
    assert outline(wrap(text(turn), turn, around())) == [
        "system",
        "user",
        "assistant",
        "moderation",
    ]


def test_hidden_messages_are_finished_but_no_answer() -> None:
    turn = Turn("Hi", "gpt-5-5")
    hidden = next(one for one in wrap(text(turn), turn, around()) if isinstance(one, Open)).message
    assert (hidden["status"], hidden["end_turn"], hidden["weight"]) == (
        "finished_successfully",
        True,
        0.0,
    )
    assert hidden["metadata"]["is_visually_hidden_from_conversation"] is True


@pytest.mark.parametrize("era", ["2024", "2026"])
def test_a_blocked_answer_is_judged_once(era: Any) -> None:
    turn = Turn("Hi", "gpt-5-5", era=era)
    names = outline(wrap(refusal(turn), turn, around()))
    assert names.count("moderation") == 1


def test_a_handed_over_stream_ends_elsewhere() -> None:
    turn = Turn("Hi", "gpt-5-5")
    script = handoff(turn)
    assert outline(wrap(script, turn, around()))[-1] == "stream_handoff"
    assert outline(continuation(script, turn, around()))[-1] == "message_stream_complete"


def test_without_a_token_or_title_neither_is_told() -> None:
    turn = Turn("Hi", "gpt-5-5")
    names = outline(wrap(text(turn), turn, around(resume_token=None, title=None)))
    assert not {"resume_conversation_token", "title_generation"} & set(names)


def test_the_served_model_is_told() -> None:
    turn = Turn("Hi", "auto", plan="free")
    steps = wrap(text(turn), turn, around(served_model="gpt-5-mini"))
    told = next(one.event for one in steps if isinstance(one, Tell) and "metadata" in one.event)
    assert told["metadata"]["model_slug"] == "gpt-5-mini"
    assert told["metadata"]["plan_type_bucket"] == "free"
