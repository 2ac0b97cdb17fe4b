"""Finding sources in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.chat.events import Citation
from chat2api.dialects.citations import locate

URL = "https://a.test/x"


def found(text: str, *urls: str) -> list[str]:
    spans = locate(text, [Citation(url, "T") for url in urls])
    return [text[span.start : span.end] for span in spans]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"Two moons ([Moons]({URL})).", f"[Moons]({URL})"),
        (f'So it is [1]({URL} "The moons").', f'[1]({URL} "The moons")'),
        (f"An odd label [a [b] c]({URL})", f"[a [b] c]({URL})"),
        (f"Nothing but {URL}.", URL),
        (f"{URL} and [link]({URL})", f"[link]({URL})"),
        (f"[longer]({URL}yz), then [right]({URL})", f"[right]({URL})"),
        (f"{URL}yz, then {URL}", URL),
        (f"A bracket that never opens]({URL})", f"{URL})"),
        (f"中文 👩‍👩‍👧 [标题]({URL})。", f"[标题]({URL})"),
    ],
)
def test_the_place_of_a_source(text: str, place: str) -> None:
    assert found(text, URL) == [place]


@pytest.mark.parametrize("text", ["", "No link at all.", f"[longer]({URL}yz)", "https://a.test/"])
def test_a_source_that_is_not_in_the_text_has_no_place(text: str) -> None:
    assert found(text, URL, "") == []


def test_a_source_named_twice_has_two_places() -> None:
    text = f"[one]({URL}), [two](https://b.test), [three]({URL})"
    assert found(text, URL, "https://b.test", URL, URL) == [
        f"[one]({URL})",
        "[two](https://b.test)",
        f"[three]({URL})",
    ]


def test_of_several_bare_mentions_the_first_counts() -> None:
    (span,) = locate(f"{URL}, {URL}", [Citation(URL, "T")])
    assert (span.start, span.end) == (0, len(URL))


def test_the_span_carries_its_citation() -> None:
    citation = Citation(URL, "The moons")
    (span,) = locate(f"[x]({URL})", [citation])
    assert (span.citation, span.start, span.end) == (citation, 0, 21)


@given(st.text('[]()ab "\n', max_size=30), st.lists(st.text("ab()", min_size=1, max_size=2)))
def test_every_span_lies_in_the_text_and_holds_its_url(text: str, urls: list[str]) -> None:
    for span in locate(text, [Citation(url, "") for url in urls]):
        assert span.citation.url in text[span.start : span.end]
