"""providers.chatgpt.outlet: texts of several messages become one answer."""

from __future__ import annotations

from chat2api.chat.events import Citation, ImageRef, ReasoningDelta, TextDelta, Thread
from chat2api.providers.chatgpt.outlet import Outlet


def test_neighbouring_texts_become_one_delta() -> None:
    outlet = Outlet()
    outlet.answer("a", "One")
    outlet.answer("a", "")
    outlet.answer("a", ", two")
    outlet.reason("t", "Hm")
    outlet.reason("t", "?")
    outlet.answer("a", ".")

    assert outlet.drain() == [TextDelta("One, two"), ReasoningDelta("Hm?"), TextDelta(".")]
    assert outlet.drain() == []


def test_messages_are_parted_by_an_empty_line_in_each_lane() -> None:
    outlet = Outlet()
    outlet.reason("t", "Hm")
    outlet.answer("a", "One")
    outlet.reason("u", "Oh")
    outlet.answer("b", "Two")
    outlet.answer("a", "more")

    assert outlet.drain() == [
        ReasoningDelta("Hm"),
        TextDelta("One"),
        ReasoningDelta("\n\nOh"),
        TextDelta("\n\nTwo\n\nmore"),
    ]


def test_a_fence_closes_before_anything_else_is_shown() -> None:
    outlet = Outlet()
    outlet.program("k", "")
    outlet.program("k", "1 +")
    outlet.program("k", " 1")
    outlet.end_program("other")
    outlet.output("2")
    outlet.program("k", "more")
    outlet.end_program("k")
    outlet.end_fence()
    outlet.answer("a", "Two.")

    assert outlet.drain() == [
        TextDelta(
            "\n```python\n1 + 1\n```\n\n```Output\n2\n```\n\n```python\nmore\n```\nTwo."
        )
    ]  # fmt: skip


def test_pictures_sources_and_threads_keep_their_place() -> None:
    outlet = Outlet()
    source = Citation("https://a.org", "A")
    outlet.program("k", "draw()")
    outlet.picture(ImageRef("sediment://x"))
    outlet.thread(Thread("c", "a"))
    outlet.answer("a", "See")
    outlet.cite(source)
    outlet.cite(Citation("https://a.org", "again"))

    assert outlet.drain() == [
        TextDelta("\n```python\ndraw()\n```\n"),
        ImageRef("sediment://x"),
        Thread("c", "a"),
        TextDelta("See"),
        source,
    ]


def test_knows_whether_anything_was_said() -> None:
    outlet = Outlet()
    outlet.reason("t", "Hm")
    assert (outlet.answered, outlet.shown) == (False, 0)
    outlet.output("2")
    assert (outlet.answered, outlet.shown) == (False, 1)
    outlet.answer("a", "Two")
    assert (outlet.answered, outlet.shown) == (True, 2)
