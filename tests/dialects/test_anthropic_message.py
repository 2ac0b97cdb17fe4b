"""What whole and streamed messages share."""

from __future__ import annotations

import pytest

from chat2api.chat.events import FinishReason, Usage
from chat2api.dialects.anthropic_message import ending_of, signature_of, usage_object
from chat2api.dialects.protocol import Stamp


@pytest.mark.parametrize(
    ("reason", "stop", "calls", "refuses", "expected"),
    [
        ("tool_calls", "END", True, False, "tool_use"),
        ("stop", None, False, False, "end_turn"),
        ("stop", None, True, False, "tool_use"),
        ("stop", None, False, True, "refusal"),
        ("stop", "END", False, False, "stop_sequence"),
        ("length", None, True, False, "max_tokens"),
        ("content_filter", None, False, False, "refusal"),
        ("tool_calls", None, True, False, "tool_use"),
    ],
)
def test_endings(
    reason: FinishReason, stop: str | None, calls: bool, refuses: bool, expected: str
) -> None:
    assert ending_of(reason, stop, calls=calls, refuses=refuses) == {
        "stop_reason": expected,
        "stop_sequence": stop if expected == "stop_sequence" else None,
    }


def test_cached_input_counts_apart() -> None:
    usage = usage_object(Usage(30, 7, 2, 10))
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (20, 10)
    assert usage_object(Usage(5, 0, 0, 9))["input_tokens"] == 0
    assert set(usage_object(None).values()) == {0}


def test_signatures_differ_by_message() -> None:
    assert signature_of(Stamp("msg_1", 0)) != signature_of(Stamp("msg_2", 0))
