"""Scenarios with sources: marks are split, and references match them exactly."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from chat2api.simulator.conversations import final_messages
from chat2api.simulator.params import Params
from chat2api.simulator.scenarios.searching import search, search2024
from chat2api.simulator.script import Write
from chat2api.simulator.turn import Turn


def answer(script: Any) -> Any:
    return final_messages(script.steps)[-1]


def resolved(message: Any) -> str:
    """The text with every mark replaced by links to its sources, in its own simple way."""
    text, metadata = message["content"]["parts"][0], message["metadata"]
    for citation in sorted(metadata["citations"], key=lambda one: -one["start_ix"]):
        start, end = citation["start_ix"], citation["end_ix"]
        number, source = re.findall(r"\d+", text[start:end])[0], citation["metadata"]
        text = f'{text[:start]} [{number}]({source["url"]} "{source["title"]}"){text[end:]}'
    for reference in metadata["content_references"]:
        links = ", ".join(f"[{one['title']}]({one['url']})" for one in reference["items"])
        text = text.replace(reference["matched_text"], f"({links})")
    entity = "\ue200entity\ue202([^\ue201]*)\ue201"
    return re.sub(entity, lambda found: str(json.loads(found.group(1))[1]), text)


@pytest.mark.parametrize(("play", "era"), [(search, "2026"), (search2024, "2024")])
def test_the_expected_text_has_its_sources_in_place(play: Any, era: Any) -> None:
    script = play(Turn("", "auto", era=era))
    assert resolved(answer(script)) == script.expected.text
    assert answer(script)["content"]["parts"][0] == script.expected.raw


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
