"""providers.chatgpt.growth: each character once, whatever form the text has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat2api.codecs.rope import Rope
from chat2api.providers.chatgpt.growth import Growth, TextReader


def test_reads_snapshots_by_their_suffix() -> None:
    reader = TextReader()

    assert [reader.read(text).text for text in ("", "He", "He", "Hello")] == ["", "He", "", "llo"]
    assert reader.taken == 5


def test_reads_a_rope_in_place() -> None:
    reader, rope = TextReader(), Rope("He")

    assert reader.read(rope).text == "He"
    assert reader.read(rope).text == ""
    rope.append("l")
    rope.append("lo")
    assert reader.read(rope).text == "llo"


def test_goes_on_when_the_text_changes_its_form() -> None:
    reader, rope = TextReader(), Rope("Hello")

    assert reader.read("He").text == "He"
    assert reader.read(rope).text == "llo"
    assert reader.read("Hello you").text == " you"


def test_waits_until_a_shortened_text_has_caught_up() -> None:
    reader, rope = TextReader(), Rope("Hello")
    reader.read(rope)

    rope.truncate(2)
    assert reader.read(rope).text == ""
    rope.append("ll")
    assert reader.read(rope).text == ""
    rope.append("o you")
    assert reader.read(rope).text == " you"


def test_gives_up_on_a_contradiction_until_the_text_is_rewritten() -> None:
    reader, rope = TextReader(), Rope("Hello")
    reader.read(rope)

    rope.truncate(2)
    rope.append("aven")
    assert reader.read(rope).text == ""
    rope.append(" lost")
    assert reader.read(rope).text == ""
    assert reader.read("Help").text == ""
    assert reader.read("Hello again").text == " again"


def test_unsettled_text_may_be_rewritten() -> None:
    reader = TextReader()
    reader.read("Hello [wrong")

    assert reader.read("Hello [right]", settled=6) == Growth("[right]", rewound=True)
    assert reader.read("Hello [right].", settled=13) == Growth(".")


@given(st.text(max_size=20), st.lists(st.integers(0, 20), max_size=8), st.booleans())
def test_any_growth_adds_up_to_the_text(text: str, stops: list[int], in_place: bool) -> None:
    reader, rope = TextReader(), Rope()
    found = ""
    for stop in [*sorted(min(stop, len(text)) for stop in stops), len(text)]:
        rope.append(text[len(rope) : stop])
        found += reader.read(rope if in_place else text[:stop]).text
    assert found == text
