"""Items as events: their order, their numbers, and that they add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.simulator.codex.acting import (
    SOURCES,
    Called,
    Drawn,
    Item,
    Outcome,
    Searched,
    Thought,
    Words,
)
from chat2api.simulator.codex.events import Manner, Told, frames, usage
from chat2api.simulator.codex.sealing import unseal

WORDS = Words(("Hel", "lo"))
CALL = Called("call_1", "f", '{"city": "Oslo, Norway"}')

Events = list[dict[str, Any]]


@pytest.fixture
def told(asked: Any) -> Callable[..., Told]:
    def made(*items: Item, end: Any = "stop", manner: Any = None, **fields: Any) -> Told:
        outcome = Outcome(items, end)
        return Told(asked(**fields), outcome, "ab" * 16, "me", 7.9, 64, manner or Manner())

    return made


def events(told: Told) -> Events:
    made = list(frames(told))
    values = [json.loads(frame.data) for frame in made]
    assert [frame.event for frame in made] == [value["type"] for value in values]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    return values


def kinds(values: Events) -> list[str]:
    return [value["type"].removeprefix("response.") for value in values]


def items(values: Events) -> Events:
    return [one["item"] for one in values if one["type"] == "response.output_item.done"]


def test_an_answer_in_words(told: Any) -> None:
    values = events(told(WORDS))
    assert kinds(values) == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done", "content_part.done"),
        *("output_item.done", "completed"),
    ]
    (item,) = items(values)
    assert (item["role"], item["status"]) == ("assistant", "completed")
    assert item["content"] == [{"type": "output_text", "annotations": [], "text": "Hello"}]
    last = values[-1]["response"]
    assert (last["status"], last["output"], last["model"]) == ("completed", [], "gpt-5.5")
    assert last["created_at"] == 7
    assert last["end_turn"]
    ids = {one["item_id"] for one in values if "item_id" in one}
    assert ids == {item["id"]}


def test_thoughts(told: Any) -> None:
    thought = Thought(("One.", "Two and more."))
    values = events(told(thought, WORDS, reasoning={"summary": "auto"}))
    deltas = {0: "", 1: ""}
    for one in values:
        if one["type"] == "response.reasoning_summary_text.delta":
            deltas[one["summary_index"]] += one["delta"]
    assert deltas == {0: "One.", 1: "Two and more."}
    assert kinds(values).count("reasoning_summary_part.done") == 2
    item, _ = items(values)
    assert [part["text"] for part in item["summary"]] == ["One.", "Two and more."]
    assert "encrypted_content" not in item


def test_thoughts_that_are_not_shown_can_still_be_sent_back(told: Any) -> None:
    values = events(told(Thought(("Hm.",)), include=["reasoning.encrypted_content"]))
    (item,) = items(values)
    assert item["summary"] == []
    assert unseal("me", item["encrypted_content"]) == "Hm."
    assert not any("reasoning_summary" in kind for kind in kinds(values))


@pytest.mark.parametrize("custom", [False, True])
def test_calls(custom: bool, told: Any) -> None:
    call = Called("call_1", "f", CALL.arguments, custom, "space")
    values = events(told(call))
    field = "input" if custom else "arguments"
    event = "custom_tool_call_input" if custom else "function_call_arguments"
    deltas = [one["delta"] for one in values if one["type"] == f"response.{event}.delta"]
    assert "".join(deltas) == CALL.arguments
    assert len(deltas) > 1
    (item,) = items(values)
    assert item["type"] == ("custom_tool_call" if custom else "function_call")
    assert (item[field], item["call_id"], item["namespace"]) == (CALL.arguments, "call_1", "space")
    assert values[-1]["response"]["end_turn"] is False


def test_calls_that_come_whole(told: Any) -> None:
    values = events(told(CALL, manner=Manner(deltas=False)))
    assert kinds(values)[2:-1] == ["output_item.added", "output_item.done"]
    assert items(values)[0]["arguments"] == CALL.arguments


def test_an_answer_that_was_cut(told: Any) -> None:
    values = events(told(WORDS, CALL, end="max_output_tokens"))
    last = values[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in items(values)] == ["completed", "incomplete"]


def test_a_refusal(told: Any) -> None:
    values = events(told(Words(("I will", " not."), is_refusal=True)))
    assert kinds(values)[4:7] == ["refusal.delta", "refusal.delta", "refusal.done"]
    assert items(values)[0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


def test_a_search_and_what_it_found(told: Any) -> None:
    words = Words(("Mars has two moons.", " Hall found them."), sources=SOURCES)
    values = events(told(Searched("mars"), words))
    assert kinds(values)[3:6] == [
        *("web_search_call.in_progress", "web_search_call.searching"),
        "web_search_call.completed",
    ]
    search, message = items(values)
    assert search["action"] == {"type": "search", "query": "mars"}
    cited = message["content"][0]["annotations"]
    text = message["content"][0]["text"]
    quoted = [text[one["start_index"] : one["end_index"]] for one in cited]
    assert quoted == ["Mars has two moons.", " Hall found them."]
    added = [one["annotation"] for one in values if "annotation" in one]
    assert added == cited
    assert values[-1]["response"]["tool_usage"]["web_search"] == {"num_requests": 1}


def test_a_picture(told: Any) -> None:
    picture = Drawn("a cat", "QUJD", {"size": "512x512", "partial_images": 2})
    values = events(told(picture))
    assert kinds(values)[3:7] == [
        *("image_generation_call.in_progress", "image_generation_call.generating"),
        *("image_generation_call.partial_image", "image_generation_call.partial_image"),
    ]
    (item,) = items(values)
    assert (item["result"], item["size"], item["revised_prompt"]) == ("QUJD", "512x512", "a cat")


def test_the_last_event_may_repeat_the_items(told: Any) -> None:
    values = events(told(WORDS, CALL, manner=Manner(output="full")))
    assert values[-1]["response"]["output"] == items(values)


def test_counts(told: Any) -> None:
    counted = usage(told(Thought(("one two",)), Words(("three", " four"))))
    assert counted["output_tokens"] == 4
    assert counted["output_tokens_details"] == {"reasoning_tokens": 2}
    assert counted["input_tokens_details"] == {"cached_tokens": 64}
    assert counted["total_tokens"] == counted["input_tokens"] + 4
    bare = usage(told(WORDS, manner=Manner(usage="bare")))
    assert set(bare) == {"input_tokens", "output_tokens", "total_tokens"}
    assert usage(told(WORDS, manner=Manner(usage="null"))) is None


def test_limits_come_first_and_without_a_number(told: Any) -> None:
    first, second, *_ = frames(told(WORDS), {"type": "codex.rate_limits"})
    assert (first.event, json.loads(first.data)) == (
        "codex.rate_limits",
        {"type": "codex.rate_limits"},
    )
    assert json.loads(second.data)["sequence_number"] == 0
