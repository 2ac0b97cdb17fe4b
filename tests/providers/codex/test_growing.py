"""Items that come in pieces and then as a whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.providers.codex.growing import Growing, Items


@settings(max_examples=60)
@given(st.text(max_size=40), st.data())
def test_pieces_and_the_whole_come_to_the_same(whole: str, data: st.DataObject) -> None:
    """However much of it came before, and whether or not it did."""
    at = data.draw(st.integers(0, len(whole)))
    item = Growing("message")
    assert item.grow(whole[:at]) + item.complete(whole) == whole
    assert item.complete(whole) == ""


def test_nothing_is_taken_back() -> None:
    item = Growing("message")
    item.grow("Hello")
    assert item.complete("Hullo") == ""
    assert item.complete(None) == ""
    assert item.complete("Hello!") == "!"


def test_parts_are_apart() -> None:
    item = Growing("reasoning")
    item.grow("a", 0)
    assert item.complete("b", 1) == "b"
    assert item.complete("ab", 0) == "b"


def test_items_are_found_by_index_or_id() -> None:
    items = Items()
    first = items.of({"output_index": 0, "item": {"id": "msg_1"}}, "message")
    assert items.of({"output_index": 0}, "message") is first
    assert items.of({"item_id": "msg_1"}, "message") is first
    assert items.of({"output_index": 0, "item_id": "changed"}, "message") is first
    assert items.of({"output_index": 1}, "message") is not first
    assert items.known("msg_1", "message") is first
    assert items.known("msg_1", "reasoning") is None
    assert items.known(None, "message") is None


def test_an_item_of_another_kind_is_another() -> None:
    items = Items()
    first = items.of({"output_index": 0}, "message")
    assert items.of({"output_index": 0}, "function_call") is not first


def test_events_without_either_are_one_items_of_their_kind() -> None:
    items = Items()
    assert items.of({}, "message") is items.of({"output_index": None}, "message")
    assert items.of({}, "message") is not items.of({}, "reasoning")
