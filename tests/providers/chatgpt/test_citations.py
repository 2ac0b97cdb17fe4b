"""providers.chatgpt.citations: marks become links; everything else passes as it is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat2api.chat.events import Citation
from chat2api.providers.chatgpt.citations import CitationScanner
from chat2api.providers.chatgpt.references import References, SearchResults

BLOCK = "\ue200cite\ue202turn0search0\ue201"
MARS = {"title": "Moons of Mars", "url": "https://example.org/mars"}
LINK = "([Moons of Mars](https://example.org/mars))"


def scanner(**metadata: Any) -> CitationScanner:
    references = References(SearchResults())
    references.update(metadata, rewritten=True)
    return CitationScanner(references)


def known() -> CitationScanner:
    return scanner(
        content_references=[{"matched_text": BLOCK, "type": "grouped_webpages", "items": [MARS]}],
        citations=[{"start_ix": 2, "end_ix": 12, "metadata": {"title": "T", "url": "https://t.org"}}],
    )  # fmt: skip


def scanned(made: CitationScanner, *pieces: str) -> list[str]:
    return [*(made.scan(piece) for piece in pieces), made.conclude()]


def test_a_known_block_becomes_links() -> None:
    made = known()

    assert scanned(made, f"Two {BLOCK}.") == [f"Two {LINK}.", ""]
    assert made.cited == [Citation("https://example.org/mars", "Moons of Mars")]


def test_a_block_is_held_from_its_beginning() -> None:
    pieces = ["Two \ue200ci", "te\ue202turn0", "search0", "\ue201."]

    assert scanned(known(), *pieces) == ["Two ", "", "", f"{LINK}.", ""]


def test_text_behind_an_unknown_block_waits_one_event_for_its_reference() -> None:
    references = References(SearchResults())
    made = CitationScanner(references)

    assert made.scan(f"Two {BLOCK} moons") == "Two "
    assert made.waiting
    references.update({"content_references": [{"matched_text": BLOCK, "items": [MARS]}]}, rewritten=True)  # fmt: skip
    assert made.scan("") == f"{LINK} moons"
    assert not made.waiting


def test_and_is_let_go_without_it_then() -> None:
    made = scanner()

    assert scanned(made, f"Two {BLOCK} moons {BLOCK}", ", yes", " no") == [
        "Two ",
        " moons , yes",
        " no",
        "",
    ]
    assert made.cited == []


def test_an_unterminated_block_is_dropped_at_the_end() -> None:
    assert scanned(known(), "Two \ue200cite\ue202turn0", "search") == ["Two ", "", ""]


def test_a_block_opened_anew_forgets_what_was_never_closed() -> None:
    assert scanned(known(), f"a \ue200cite\ue202tur {BLOCK}!") == [f"a {LINK}!", ""]


def test_a_block_without_end_does_not_swallow_the_answer() -> None:
    made = scanner()

    pieces = scanned(made, "a \ue200", *["word " * 1000] * 20)

    assert "".join(pieces) == "a " + "word " * 20_000


def test_stray_private_use_characters_are_stripped() -> None:
    assert scanned(known(), "a\ue203b\ue206c\ue201d\ue202e") == ["abcde", ""]


def test_a_mark_of_2024_becomes_a_numbered_link() -> None:
    assert scanned(known(), "a ", "【7†so", "urce】 b") == [
        "a ",
        "",
        ' [7](https://t.org "T") b',
        "",
    ]


def test_a_mark_that_nothing_explains_stays() -> None:
    assert scanned(scanner(), "a 【7†source】", " b") == ["a ", "【7†source】 b", ""]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["请看【注意】这里"], ["请看【注意】这里", ""]),
        (["请看【", "注意】"], ["请看", "【注意】", ""]),
        (["【1", "】和【2】"], ["", "【1】和【2】", ""]),
        (["【12", "a】"], ["", "【12a】", ""]),
        (["【【7", "月】"], ["【", "【7月】", ""]),
        (["【7†a\n", "b】"], ["【7†a\n", "b】", ""]),
        (["【7†" + "x" * 200], ["【7†" + "x" * 200, ""]),
        (["end 【7†sou"], ["end ", "【7†sou"]),
    ],
)
def test_ordinary_brackets_pass_and_wait_no_longer_than_they_must(
    pieces: list[str], expected: list[str]
) -> None:
    assert scanned(known(), *pieces) == expected


def test_settled_counts_raw_characters_and_rewinding_goes_back_to_it() -> None:
    made = known()

    assert made.scan("a\ue203b") == "ab"
    assert made.settled == 3
    assert made.scan("cd\ue200cite") == "cd"
    assert made.settled == 5
    made.rewind()
    assert made.settled == 5
    assert made.scan("e 【7") == "e "
    assert made.settled == 7
    made.rewind()
    assert made.scan("f") == "f"
    assert made.settled == 8


def test_settled_stops_at_a_block_that_waits() -> None:
    made = scanner()

    assert made.scan(f"ab{BLOCK} cd") == "ab"
    assert made.settled == 2


text = st.lists(
    st.sampled_from(["a", "你", " ", "【", "】", "7", "†", "\n", "\ue200", "\ue201", "\ue202", "\ue203", BLOCK, "【7†x】"]),
    max_size=25,
).map("".join)  # fmt: skip


@settings(max_examples=300)
@given(text, st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_the_cuts_do_not_matter(raw: str, cuts: list[int], explained: bool) -> None:
    make = known if explained else scanner
    whole = "".join(scanned(make(), raw))
    edges = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]

    assert "".join(scanned(make(), *(raw[a:b] for a, b in itertools.pairwise(edges)))) == whole
    assert "".join(scanned(make(), *raw)) == whole


@given(st.text(alphabet="ab你【】†12:\n"))
def test_nothing_of_an_ordinary_text_is_lost(raw: str) -> None:
    assert "".join(scanned(scanner(), *raw)) == raw
