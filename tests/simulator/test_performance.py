"""Scenarios played: in both generations and encodings they read as they say they should."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chat2api.simulator.scenarios.registry import SCENARIOS

SCRIPTED = [name for name, one in SCENARIOS.items() if one.play and name not in ("handoff", "blob")]
SHORT = {"long": " kb=20", "flood": " deltas=500", "picture": " n=2"}


@pytest.mark.parametrize("encoding", ["v1", "snapshot"])
@pytest.mark.parametrize("era", ["2024", "2026"])
@pytest.mark.parametrize("name", SCRIPTED)
def test_scenario_reads_as_expected(
    name: str, era: str, encoding: str, caller: Any, control: Any
) -> None:
    encodings = ["v1"] if encoding == "v1" else []
    words = f"/sim {name}{SHORT.get(name, '')}"
    reading = caller.read(words, era=era, supported_encodings=encodings)
    record = control("/requests")["requests"][-1]
    expected = record["expected"]
    assert record["scenario"] == name
    assert reading.text == expected["raw"]
    assert reading.reasoning == expected["reasoning"]
    assert reading.images == expected["images"]
    assert reading.finish_reason == expected["finish_reason"]
    assert reading.done
    assert ("message_stream_complete" in reading.types) == (era == "2026")
    assert ("resume_conversation_token" in reading.types) == (era == "2026")


def test_a_pace_spreads_the_tokens_over_time(live: Any, live_caller: Any) -> None:
    began = time.monotonic()
    live_caller.talk("/sim text words=10 tps=50")
    assert 0.35 < time.monotonic() - began < 2


def test_two_turns_at_once_do_not_mix(live: Any, live_caller: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        words = [f"/sim text words={n} tps=100" for n in (5, 10, 15, 20)]
        readings = list(pool.map(live_caller.read, words))
    assert [len(one.text.split()) for one in readings] == [5, 10, 15, 20]
    assert len({one.conversation_id for one in readings}) == 4


def test_the_title_comes_with_the_first_turn_only(caller: Any) -> None:
    first = caller.read("Good morning")
    where = {"conversation_id": first.conversation_id, "parent_message_id": first.answer_id}
    assert "title_generation" in first.types
    assert "title_generation" not in caller.read("And now?", **where).types
