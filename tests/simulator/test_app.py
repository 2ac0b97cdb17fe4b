"""Every scenario, in both generations and encodings, reads as it says it should."""

from __future__ import annotations

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
    assert reading.shown == expected["text"]
    assert reading.reasoning == expected["reasoning"]
    assert reading.images == expected["images"]
    assert reading.finish_reason == expected["finish_reason"]
    assert reading.done
    assert ("message_stream_complete" in reading.types) == (era == "2026")
    assert ("resume_conversation_token" in reading.types) == (era == "2026")
