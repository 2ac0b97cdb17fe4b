"""Tool calls, however a server numbers, names and cuts them."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.events import ToolCallDelta
from chat2api.providers.openai_compatible.calls import CallReader


def read(*deltas: Any) -> tuple[list[tuple[str, str, str]], list[ToolCallDelta], CallReader]:
    """The calls as they were told, and every event; each of `deltas` is a chunk of its own."""
    numbers = itertools.count(1)
    reader = CallReader(lambda: f"made_{next(numbers)}")
    events = [event for delta in deltas for event in reader.feed([delta])]
    calls: dict[int, list[str]] = {}
    for event in events:
        if event.index not in calls:
            assert event.name, "a call is named before it has arguments"
            calls[event.index] = [event.call_id or "", event.name, ""]
        else:
            assert event.name is None
            assert event.call_id is None
        calls[event.index][2] += event.arguments
    assert list(calls) == list(range(len(calls)))
    return [tuple(call) for call in calls.values()], events, reader  # type: ignore[misc]


def function(index: Any, call_id: Any, name: Any, arguments: Any) -> dict[str, Any]:
    fields = {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in fields.items() if value is not None}


PARIS = '{"city":"Paris"}'
ROME = '{"city":"Rome"}'


@pytest.mark.parametrize(
    ("deltas", "calls"),
    [
        pytest.param(
            [
                function(0, "a", "look", ""),
                function(0, None, None, '{"city":'),
                function(0, None, None, '"Paris"}'),
                function(1, "b", "look", ROME),
            ],
            [("a", "look", PARIS), ("b", "look", ROME)],
            id="as the public API",
        ),
        pytest.param(
            [function(None, "a", "look", PARIS), function(None, "b", "look", ROME)],
            [("a", "look", PARIS), ("b", "look", ROME)],
            id="no index",
        ),
        pytest.param(
            [function(None, None, "look", PARIS), function(None, None, "look", ROME)],
            [("made_1", "look", PARIS), ("made_2", "look", ROME)],
            id="neither index nor id, whole arguments",
        ),
        pytest.param(
            [
                function(None, None, "look", '{"city":'),
                function(None, None, None, '"Paris"}'),
                function(None, None, "hear", "{}"),
            ],
            [("made_1", "look", PARIS), ("made_2", "hear", "{}")],
            id="neither index nor id, in pieces",
        ),
        pytest.param(
            [function(0, "a", "look", PARIS), function(0, "b", "look", ROME)],
            [("a", "look", PARIS), ("b", "look", ROME)],
            id="every index 0",
        ),
        pytest.param(
            [function(0, None, "look", PARIS), function(0, None, "look", ROME)],
            [("made_1", "look", PARIS), ("made_2", "look", ROME)],
            id="every index 0, no id",
        ),
        pytest.param(
            [function(0, "a", "look", '{"city":'), function(0, "a", "look", '"Paris"}')],
            [("a", "look", PARIS)],
            id="id and name repeated",
        ),
        pytest.param(
            [function(0, "a", "look", '{"city":'), function(0, "z", None, '"Paris"}')],
            [("a", "look", PARIS)],
            id="a new id for each piece",
        ),
        pytest.param(
            [function(1, "a", "look", PARIS), function(3, "b", "look", ROME)],
            [("a", "look", PARIS), ("b", "look", ROME)],
            id="numbers from 1, with gaps",
        ),
        pytest.param(
            [
                function(0, "a", "look", '{"city":'),
                function(1, "b", "look", '{"city":'),
                function(0, None, None, '"Paris"}'),
                function(1, None, None, '"Rome"}'),
            ],
            [("a", "look", PARIS), ("b", "look", ROME)],
            id="two at once",
        ),
        pytest.param(
            [function(0, "a", "", ""), function(0, None, "look", ""), function(0, "", "", PARIS)],
            [("a", "look", PARIS)],
            id="named late",
        ),
        pytest.param(
            [function(0, None, None, '{"city":'), function(0, "a", "look", '"Paris"}')],
            [("a", "look", PARIS)],
            id="arguments before the name",
        ),
        pytest.param(
            [function(0, "a", "look", {"city": "Paris"})],
            [("a", "look", PARIS)],
            id="an object as arguments",
        ),
        pytest.param([function(0, "a", "look", None)], [("a", "look", "")], id="null"),
        pytest.param([None, 3, "x", {}, {"function": 1}, {"index": "0"}], [], id="nonsense"),
    ],
)
def test_calls(deltas: list[Any], calls: list[tuple[str, str, str]]) -> None:
    assert read(*deltas)[0] == calls


def test_a_call_without_a_name_is_never_told() -> None:
    calls, events, reader = read(function(0, "a", None, PARIS))
    assert (calls, events, reader.nameless, reader.told) == ([], [], 1, 0)


def test_calls_side_by_side_are_several_whatever_they_are_called() -> None:
    reader = CallReader(lambda: "made")
    twins = [function(None, "a", "look", PARIS), function(None, "a", "look", ROME)]
    assert reader.feed(twins) == [
        ToolCallDelta(0, "a", "look", PARIS),
        ToolCallDelta(1, "made", "look", ROME),
    ]


@pytest.mark.parametrize("index", [(None, None), (0, 0), (0, 1)])
def test_no_two_calls_have_one_id(index: tuple[int | None, int | None]) -> None:
    calls, _, _ = read(
        function(index[0], "a", "look", PARIS), function(index[1], "a", "hear", "{}")
    )
    assert calls == [("a", "look", PARIS), ("made_1", "hear", "{}")]


def test_a_call_without_arguments_gets_an_empty_object() -> None:
    _, _, reader = read(
        function(0, "a", "look", ""),
        function(1, "b", "hear", "{}"),
        {"index": 2, "custom": {"name": "shell", "input": ""}},
        function(3, "c", None, ""),
    )
    assert reader.close() == [ToolCallDelta(0, arguments="{}")]


def test_custom_calls() -> None:
    calls, events, _ = read(
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "shell", "input": "ls "}},
        {"index": 0, "custom": {"input": "-l {}"}},
    )
    assert calls == [("a", "shell", "ls -l {}")]
    assert events[0].custom


def test_the_legacy_call() -> None:
    reader = CallReader(lambda: "made")
    events = reader.feed_legacy({"name": "look", "arguments": '{"city":'})
    events += reader.feed_legacy({"arguments": '"Paris"}'})
    assert events == [
        ToolCallDelta(0, "made", "look", '{"city":'),
        ToolCallDelta(0, arguments='"Paris"}'),
    ]
    assert reader.feed_legacy(None) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from(["", "a", "b", "look", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["index", "id", "function", "custom", "name", "arguments", "input"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(ANYTHING, max_size=6))
def test_no_delta_breaks_the_law_of_calls(deltas: list[Any]) -> None:
    calls, _, reader = read(*deltas)
    assert len(calls) == reader.told
    assert all(call_id and name for call_id, name, _ in calls)


@given(
    st.lists(st.text(max_size=12), min_size=1, max_size=4),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
)
def test_arguments_come_whole_however_they_are_cut(texts: list[str], sizes: list[int]) -> None:
    deltas = []
    for index, text in enumerate(texts):
        deltas.append(function(index, f"call_{index}", "look", ""))
        size = sizes[index % len(sizes)]
        for start in range(0, len(text), size):
            deltas.append(function(index, None, None, text[start : start + size]))
    calls, _, _ = read(*deltas)
    assert [arguments for _, _, arguments in calls] == texts
