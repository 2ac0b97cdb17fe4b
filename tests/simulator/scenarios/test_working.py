"""Scenarios that use tools."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.conversations import final_messages
from chat2api.simulator.params import Params
from chat2api.simulator.scenarios.working import code, picture, tools
from chat2api.simulator.turn import Turn


def turn(era: Any = "2026", **params: Any) -> Turn:
    return Turn("Hi", "gpt-5-5", era=era, params=Params(params))


def test_code_runs_and_is_shown_in_fences() -> None:
    source, output, answer = final_messages(code(turn()).steps)
    assert (source["recipient"], source["end_turn"]) == ("python", False)
    assert output["metadata"]["aggregate_result"]["status"] == "success"
    fenced = f"\n```python\n{source['content']['text']}\n```\n\n```Output\n5050\n```\n"
    assert code(turn()).expected.markdown == fenced + answer["content"]["parts"][0]


def test_code_may_fail() -> None:
    _, output, _ = final_messages(code(turn(fail=1)).steps)
    assert (
        output["metadata"]["aggregate_result"]["in_kernel_exception"]["name"] == "ZeroDivisionError"
    )


def test_only_the_last_of_several_answers_ends_the_turn() -> None:
    script = tools(turn())
    answers = [one for one in final_messages(script.steps) if one["channel"] == "final"]
    assert [one["end_turn"] for one in answers] == [False, False, True]
    assert script.expected.text == "\n\n".join(one["content"]["parts"][0] for one in answers)


@pytest.mark.parametrize(
    ("era", "tool", "scheme"),
    [
        ("2024", "dalle.text2im", "file-service://file-"),
        ("2026", "t2uay3k.sj1i4kz", "sediment://file_"),
    ],
)
def test_pictures_by_generation(era: str, tool: str, scheme: str) -> None:
    script = picture(turn(era, n=2))
    messages = final_messages(script.steps)
    drawn = next(one for one in messages if one["content"]["content_type"] == "multimodal_text")
    pointers = tuple(part["asset_pointer"] for part in drawn["content"]["parts"])
    assert messages[0]["recipient"] == drawn["author"]["name"] == tool
    assert pointers == script.expected.images
    assert all(pointer.startswith(scheme) for pointer in pointers)
    assert len(set(pointers)) == 2


def test_a_picture_may_be_ready_only_later() -> None:
    script = picture(turn(later=20))
    preview = final_messages(script.steps)[-1]
    assert (preview["status"], script.later_seconds) == ("in_progress", 20)
    done = final_messages((*script.steps, *script.later))
    assert done[-1]["content"]["parts"] == [script.expected.text]
    assert done[1]["status"] == "finished_successfully"
