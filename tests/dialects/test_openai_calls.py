"""Calls, told whole and in deltas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.events import Event, FinishReason, ToolCallDelta
from chat2api.chat.fold import FoldedCall, fold
from chat2api.dialects.openai_calls import call_teller, told_calls, told_reason


@pytest.mark.parametrize(
    ("reason", "old"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "function_call"),
    ],
)
def test_only_the_reason_of_calls_has_an_old_name(reason: FinishReason, old: str) -> None:
    assert told_reason(reason, legacy=False) == reason
    assert told_reason(reason, legacy=True) == old


def test_whole_calls() -> None:
    calls = [FoldedCall("a", "now", "{}"), FoldedCall("b", "sql", "SELECT 1", custom=True)]
    assert told_calls(calls, legacy=False) == {
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            {"id": "b", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}},
        ]
    }
    assert told_calls(calls, legacy=True) == {"function_call": {"name": "now", "arguments": "{}"}}


@pytest.mark.parametrize("legacy", [False, True])
def test_without_calls_there_is_nothing_to_tell(legacy: bool) -> None:
    assert told_calls([], legacy=legacy) == {}


def deltas(*events: ToolCallDelta, legacy: bool = False) -> list[dict[str, Any]]:
    teller = call_teller(legacy=legacy)
    return [delta for event in events for delta in teller.deltas(event)]


def opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": ""}
    return {
        "tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]
    }


def custom_opened(index: int, call_id: str, name: str) -> dict[str, Any]:
    custom = {"name": name, "input": ""}
    return {"tool_calls": [{"index": index, "id": call_id, "type": "custom", "custom": custom}]}


def test_a_call_is_opened_once_and_then_only_grows() -> None:
    assert deltas(
        ToolCallDelta(0, "a", "search"),
        ToolCallDelta(0, arguments='{"q":'),
        ToolCallDelta(1, "b", "now", "{}"),
        ToolCallDelta(0, arguments=""),
        ToolCallDelta(0, arguments="1}"),
    ) == [
        opened(0, "a", "search"),
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"q":'}}]},
        opened(1, "b", "now"),
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
    ]


def test_custom_calls_stay_custom() -> None:
    assert deltas(
        ToolCallDelta(0, "a", "sql", custom=True),
        ToolCallDelta(0, arguments="SELECT"),
        ToolCallDelta(1, "b", "sql", " 1", custom=True),
    ) == [
        custom_opened(0, "a", "sql"),
        {"tool_calls": [{"index": 0, "custom": {"input": "SELECT"}}]},
        custom_opened(1, "b", "sql"),
        {"tool_calls": [{"index": 1, "custom": {"input": " 1"}}]},
    ]


def test_a_name_that_comes_again_is_not_told_again() -> None:
    assert deltas(ToolCallDelta(0, "a", "now"), ToolCallDelta(0, "a", "now", "{}")) == [
        opened(0, "a", "now"),
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
    ]


def test_a_legacy_request_hears_of_one_call() -> None:
    assert deltas(
        ToolCallDelta(0, "a", "search", '{"q":'),
        ToolCallDelta(1, "b", "now", "{}"),
        ToolCallDelta(0, arguments="1}"),
        legacy=True,
    ) == [
        {"function_call": {"name": "search", "arguments": ""}},
        {"function_call": {"arguments": '{"q":'}},
        {"function_call": {"arguments": "1}"}},
    ]


calls = st.lists(
    st.tuples(st.booleans(), st.lists(st.text(max_size=4), max_size=3)), min_size=1, max_size=3
)


@given(calls, st.booleans())
def test_deltas_add_up_to_the_whole(made: list[tuple[bool, list[str]]], legacy: bool) -> None:
    events: list[Event] = []
    for index, (custom, arguments) in enumerate(made):
        events.append(ToolCallDelta(index, f"call_{index}", f"f{index}", custom=custom))
        events.extend(ToolCallDelta(index, arguments=piece) for piece in arguments)
    teller = call_teller(legacy=legacy)
    message: dict[str, Any] = {}
    for event in events:
        assert isinstance(event, ToolCallDelta)
        for delta in teller.deltas(event):
            message = joined(message, delta)
    assert message == told_calls(fold(events).tool_calls, legacy=legacy)


def joined(one: Any, more: Any) -> Any:
    """As the SDKs add deltas up: texts are joined, whatever they say; lists go by `index`."""
    if isinstance(one, str) and isinstance(more, str):
        return one + more
    if isinstance(more, list):
        items = list(one or [])
        for item in more:
            fields = {name: value for name, value in item.items() if name != "index"}
            items.extend({} for _ in range(item["index"] + 1 - len(items)))
            items[item["index"]] = joined(items[item["index"]], fields)
        return items
    if isinstance(more, dict):
        return {**(one or {}), **{k: joined((one or {}).get(k), v) for k, v in more.items()}}
    return more
