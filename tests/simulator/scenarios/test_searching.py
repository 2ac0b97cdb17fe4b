"""Scenarios with sources: marks are split, and references match them exactly."""

from __future__ import annotations

from typing import Any

from chat2api.simulator.conversations import final_messages
from chat2api.simulator.params import Params
from chat2api.simulator.scenarios.searching import search, search2024
from chat2api.simulator.script import Write
from chat2api.simulator.turn import Turn


def answer(script: Any) -> Any:
    return final_messages(script.steps)[-1]


def test_every_reference_stands_in_the_text() -> None:
    for late in (0, 1):
        found = answer(search(Turn("", "auto", params=Params({"late": late}))))
        text, references = found["content"]["parts"][0], found["metadata"]["content_references"]
        assert len(references) == 2 + late
        assert all(one["matched_text"] in text for one in references)
        assert all(one["matched_text"][0] == "\ue200" for one in references)


def test_marks_are_split_over_deltas() -> None:
    pieces = [one.text for one in search(Turn("", "auto")).steps if isinstance(one, Write)]
    opened = [piece for piece in pieces if "\ue200" in piece]
    assert opened
    assert not any("\ue201" in piece for piece in opened)


def test_a_late_reference_is_not_expected_in_place() -> None:
    script = search(Turn("", "auto", params=Params({"late": "1"})))
    assert script.expected.text.endswith("See also  the archive.")


def test_the_older_marks_are_where_their_citations_say() -> None:
    found = answer(search2024(Turn("", "auto", era="2024")))
    text, citations = found["content"]["parts"][0], found["metadata"]["citations"]
    marked = [text[one["start_ix"] : one["end_ix"]] for one in citations]
    assert marked == ["【1†source】", "【2†source】"]
