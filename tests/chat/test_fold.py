"""Folding events into one completion."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.events import (
    Citation,
    Event,
    Failure,
    Finish,
    ImageRef,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thread,
    ToolCallDelta,
    Usage,
)
from chat2api.chat.fold import Completion, FoldedCall, fold, joined
from chat2api.errors import ErrorInfo

CAT = ImageRef("sediment://cat")
DOG = ImageRef("sediment://dog")
BROKEN = ErrorInfo(502, "server_error", "upstream_truncated", "It broke off.")


@pytest.mark.parametrize(
    ("events", "completion"),
    [
        ([], Completion()),
        ([TextDelta("a"), TextDelta(""), TextDelta("b")], Completion(["ab"])),
        ([ReasoningDelta("a"), TextDelta("c"), ReasoningDelta("b")], Completion(["c"], "ab")),
        (
            [TextDelta("a"), TextDelta("b"), CAT, DOG, TextDelta("c")],
            Completion(["ab", CAT, DOG, "c"]),
        ),
        ([CAT], Completion([CAT])),
        (
            [Citation("https://a.test", "A"), Citation("https://b.test", "B")],
            Completion(
                citations=[Citation("https://a.test", "A"), Citation("https://b.test", "B")]
            ),
        ),
        ([Thread("c1"), Thread("c1", "m1")], Completion(thread=Thread("c1", "m1"))),
        ([Usage(1, 2), Finish("length")], Completion(usage=Usage(1, 2), finish_reason="length")),
        (
            [TextDelta("a"), Failure(BROKEN)],
            Completion(["a"], failure=BROKEN),
        ),
    ],
)
def test_fold(events: list[Event], completion: Completion) -> None:
    assert fold(events) == completion


def test_calls_are_put_together_by_index() -> None:
    events = [
        ToolCallDelta(1, "call_b", "now"),
        ToolCallDelta(0, "call_a", "search"),
        ToolCallDelta(0, arguments='{"q":'),
        ToolCallDelta(1, arguments="{}"),
        ToolCallDelta(0, arguments='"x"}'),
    ]
    assert fold(events).tool_calls == [
        FoldedCall("call_a", "search", '{"q":"x"}'),
        FoldedCall("call_b", "now", "{}"),
    ]


def test_a_refusal_is_no_text() -> None:
    folded = fold([RefusalDelta("I will "), RefusalDelta("not."), Finish("stop")])
    assert (folded.text, folded.refusal) == ("", "I will not.")


def test_the_end_tells_what_stopped_it_and_what_is_to_be_known() -> None:
    folded = fold([Finish("stop", "END", ("tool_call_invalid",))])
    assert (folded.stop, folded.notes) == ("END", ("tool_call_invalid",))


def test_a_call_of_a_custom_tool_is_known_by_its_first_delta() -> None:
    (call,) = fold(
        [ToolCallDelta(0, "call_a", "run", custom=True), ToolCallDelta(0, arguments="ls")]
    ).tool_calls
    assert call == FoldedCall("call_a", "run", "ls", custom=True)


def test_text_leaves_the_pictures_out() -> None:
    assert fold([TextDelta("a"), CAT, TextDelta("b")]).text == "ab"


@given(
    st.lists(st.one_of(st.text(max_size=4).map(TextDelta), st.text(max_size=4).map(ReasoningDelta)))
)
def test_nothing_is_lost_or_reordered(events: list[Event]) -> None:
    folded = fold(iter(events))
    assert folded.text == "".join(e.text for e in events if isinstance(e, TextDelta))
    assert folded.reasoning == "".join(e.text for e in events if isinstance(e, ReasoningDelta))


def test_a_long_answer_costs_linear_time() -> None:
    def seconds(deltas: int) -> float:
        events = [TextDelta("x" * 50)] * deltas
        start = time.process_time()
        fold(events)
        return time.process_time() - start

    assert seconds(200_000) < 100 * (min(seconds(20_000) for _ in range(3)) + 0.001)


# --- events with neighbours joined


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([TextDelta("a"), TextDelta("b")], [TextDelta("ab")]),
        ([TextDelta("a"), RefusalDelta("b")], [TextDelta("a"), RefusalDelta("b")]),
        (
            [ReasoningDelta("a"), ReasoningDelta("b"), TextDelta("c"), Finish("stop")],
            [ReasoningDelta("ab"), TextDelta("c"), Finish("stop")],
        ),
        ([TextDelta("a"), CAT, TextDelta("b")], [TextDelta("a"), CAT, TextDelta("b")]),
        (
            [
                ToolCallDelta(0, "1", "f", custom=True),
                ToolCallDelta(0, arguments="a"),
                ToolCallDelta(0, arguments="b"),
                ToolCallDelta(1, "2", "g", "c"),
                ToolCallDelta(0, arguments="d"),
            ],
            [
                ToolCallDelta(0, "1", "f", "ab", custom=True),
                ToolCallDelta(1, "2", "g", "c"),
                ToolCallDelta(0, arguments="d"),
            ],
        ),
    ],
)
def test_joined(events: list[Event], expected: list[Event]) -> None:
    assert joined(events) == expected
    assert fold(events).events == expected
