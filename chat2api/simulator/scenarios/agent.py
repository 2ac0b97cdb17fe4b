"""The scenario of a model that follows instructions about tools and JSON: the mind, on the wire of the web."""

from __future__ import annotations

from dataclasses import replace

from chat2api.simulator import models
from chat2api.simulator.mind.decide import decide
from chat2api.simulator.mind.reading import Reading, read
from chat2api.simulator.mind.situation import Decision, Say
from chat2api.simulator.mind.writing import Written, write
from chat2api.simulator.scenarios import thinking
from chat2api.simulator.script import Expected, Script
from chat2api.simulator.turn import Scribe, Turn, script_of

GREETING = "Hello. What shall I do?"


def agent(turn: Turn) -> Script:
    """The step of its script that is due, or what a willing model would do."""
    reading = read(turn.said, turn.earlier)
    return _played(turn, reading, decide(reading.situation) or Decision((Say(GREETING),)))


def unasked(turn: Turn) -> Script | None:
    """What the mind does about a message that names no scenario; None: nothing here concerns it."""
    reading = read(turn.said, turn.earlier)
    decision = decide(reading.situation)
    return None if decision is None else _played(turn, reading, decision)


def _played(turn: Turn, reading: Reading, decision: Decision) -> Script:
    written = write(decision, reading.nonce)
    if models.thinks(turn.model) and not written.thoughts:
        written = replace(written, thoughts=("I look at what I was told to do.",))
    scribe = Scribe(turn)
    reasoning = thinking.think(scribe, written.thoughts) if written.thoughts else ""
    _answer(scribe, written)
    expected = Expected(
        written.text, reasoning=reasoning, finish_reason="length" if written.is_cut else "stop"
    )
    return script_of(scribe, expected=expected)


def _answer(scribe: Scribe, written: Written) -> None:
    if not written.is_cut:
        scribe.answer(written.text)
        return
    scribe.open_answer()
    scribe.write(written.text)
    scribe.finish(
        status="finished_partial_completion", metadata={"finish_details": {"type": "max_tokens"}}
    )
