"""What flows towards the caller, as values."""

from __future__ import annotations

from chat2api.simulator.wire.items import DONE, Break, Comment, Frame, Pause


def test_items_are_values() -> None:
    assert {Frame("a"), Frame("a"), Frame("a", "delta"), Pause(1), Pause(1.0)} == {
        Frame("a"),
        Frame("a", "delta"),
        Pause(1),
    }
    assert Break("cut") != Break("reset")
    assert Comment("x") == Comment("x")


def test_the_end_marker_carries_nothing() -> None:
    assert (DONE.data, DONE.event, DONE.tokens) == ("[DONE]", None, 0)
