"""providers.chatgpt.references: what is known of sources, and the links made of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from chat2api.chat.events import Citation
from chat2api.codecs.rope import Rope
from chat2api.providers.chatgpt.references import Link, References, SearchResults

BLOCK = "\ue200cite\ue202turn0search0\ue202turn0search3\ue201"
A, B = Citation("https://a.org/", "A"), Citation("https://b.org/", "B")
PAGE_A = {"title": "A", "url": "https://a.org/"}
PAGE_B = {"title": "B", "url": "https://b.org/"}


def references(**metadata: Any) -> References:
    made = References(SearchResults())
    made.update(metadata, rewritten=True)
    return made


def link_for(block: str = BLOCK, **reference: Any) -> Link | None:
    return references(content_references=[{"matched_text": block, **reference}]).block(block)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"items": [PAGE_A, PAGE_B]}, Link("([A](https://a.org/), [B](https://b.org/))", (A, B))),
        ({"items": [PAGE_A, PAGE_A]}, Link("([A](https://a.org/))", (A,))),
        ({"items": [PAGE_A], "alt": "alt"}, Link("([A](https://a.org/))", (A,))),
        ({"items": [], "alt": "([site](https://s.org))"}, Link("([site](https://s.org))")),
        ({"items": [], "fallback_items": [PAGE_B]}, Link("([B](https://b.org/))", (B,))),
        ({"items": None, "type": "webpage", **PAGE_A}, Link("([A](https://a.org/))", (A,))),
        ({"items": [PAGE_A], "invalid": True}, Link("")),
        ({"items": [PAGE_A], "type": "hidden"}, Link("")),
        ({"items": []}, None),
        ({"items": [None, 5, {"url": "javascript:alert(1)"}, {"title": "no url"}]}, None),
        ({"items": [{"url": "https://a.org/x", "attribution": "a.org"}]},
         Link("([a.org](https://a.org/x))", (Citation("https://a.org/x", "a.org"),))),
        ({"items": [{"url": "https://a.org/x"}]},
         Link("([a.org](https://a.org/x))", (Citation("https://a.org/x", "a.org"),))),
        ({"items": [{"url": "https://[bad", "title": ""}]},
         Link("([https://\\[bad](https://[bad))", (Citation("https://[bad", "https://[bad"),))),
        ({"items": [{"url": "https://a.org/(x) y", "title": "[1]\n of two"}]},
         Link("([\\[1\\] of two](https://a.org/%28x%29%20y))", (Citation("https://a.org/(x) y", "[1] of two"),))),
    ],
)  # fmt: skip
def test_what_a_reference_says(reference: dict[str, Any], expected: Link | None) -> None:
    assert link_for(**reference) == expected


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ('["city","Paris","capital of France"]', "Paris"),
        ('["Paris"]', "Paris"),
        ('["city","Par\\"is",', 'Par\\"is'),
        ("Paris", "Paris"),
    ],
)
def test_an_entity_is_its_name(arguments: str, name: str) -> None:
    block = f"\ue200entity\ue202{arguments}\ue201"

    assert references().block(block) == Link(name)


@pytest.mark.parametrize("arguments", ["turn0entity2", "[]", "[broken"])
def test_an_entity_without_a_name_needs_a_reference(arguments: str) -> None:
    block = f"\ue200entity\ue202{arguments}\ue201"

    assert references().block(block) is None
    assert link_for(block, alt="Paris") == Link("Paris")


@pytest.mark.parametrize("kind", ["filecite", "navlist", "image_group", "products", "genui", "i"])
def test_other_kinds_follow_the_same_rules(kind: str) -> None:
    block = f"\ue200{kind}\ue202turn0x0\ue201"

    assert references().block(block) is None
    assert link_for(block, items=[PAGE_A]) == Link("([A](https://a.org/))", (A,))
    assert link_for(block, alt="see there") == Link("see there")
    assert references().searched(block) == Link("")


def test_a_block_may_be_resolved_from_the_turns_searches() -> None:
    results = SearchResults()
    ref = {"turn_index": 0, "ref_type": "search", "ref_index": 3}
    results.add({"search_result_groups": [{"entries": [{**PAGE_B, "ref_id": ref}, {"ref_id": None}, 5]}]})  # fmt: skip

    assert References(results).searched(BLOCK) == Link("([B](https://b.org/))", (B,))
    assert References(results).searched("\ue200cite\ue202turn1search3\ue201") == Link("")


def test_references_may_come_piece_by_piece() -> None:
    made = References(SearchResults())
    known: list[Any] = []
    metadata = {"content_references": known}
    made.update(metadata, rewritten=True)
    assert made.block(BLOCK) is None

    known.append({"matched_text": Rope(BLOCK), "items": []})
    made.update(metadata, rewritten=False)
    assert made.block(BLOCK) is None

    known[0]["items"].append(PAGE_A)
    made.update(metadata, rewritten=True)
    assert made.block(BLOCK) == Link("([A](https://a.org/))", (A,))


def cited(url: str, start: int | None = None) -> dict[str, Any]:
    return {"start_ix": start, "metadata": {"url": url, "title": 'The "T"'}}


def test_marks_are_explained_by_position_then_number_then_order() -> None:
    made = references(citations=[cited("https://a.org", 10), cited("https://b.org", 50)])

    at_50 = made.mark("2", 50)
    assert at_50 is not None
    assert at_50.text == " [2](https://b.org \"The 'T'\")"
    assert made.mark("2", 99) == at_50
    by_order = made.mark("1", 7)
    assert by_order is not None
    assert by_order.text.startswith(" [1](https://a.org")
    assert made.mark("3", 8) is None


def test_a_mark_does_not_take_the_source_of_one_before() -> None:
    """The first mark was given up before its citation came; nobody else may have that."""
    made = References(SearchResults())
    assert made.mark("1", 10) is None
    made.update({"citations": [cited("https://a.org", 10)]}, rewritten=True)
    assert made.mark("2", 50) is None
    made.update({"citations": [cited("https://a.org", 10), cited("https://b.org", 50)]}, rewritten=True)  # fmt: skip
    second = made.mark("2", 50)
    assert second is not None
    assert second.text.startswith(" [2](https://b.org")


def test_citations_that_grow_shrink_and_are_replaced() -> None:
    made = References(SearchResults())
    known: list[Any] = [cited("https://a.org", 1)]

    def urls(*, rewritten: bool = False) -> list[str]:
        made.update({"citations": known}, rewritten=rewritten)
        return [source.url for source in made.sources()]

    assert urls() == ["https://a.org"]
    known += [cited("https://b.org", 2), {"metadata": {}}, "odd"]
    assert urls() == ["https://a.org", "https://b.org"]
    del known[1:]
    assert urls() == ["https://a.org"]
    known[0] = cited("https://c.org", 1)
    assert urls(rewritten=True) == ["https://c.org"]
    known = [cited("https://d.org", 1)]
    assert urls() == ["https://d.org"]


@pytest.mark.parametrize("by_position", [True, False])
def test_many_marks_cost_what_they_are(by_position: bool) -> None:
    """Reading all citations again for each mark took 40 s."""
    count = 4000
    made = References(SearchResults())
    known: list[Any] = []
    began = time.thread_time()
    for index in range(count):
        known.append(cited(f"https://a.org/{index}", index * 20 if by_position else None))
        made.update({"citations": known}, rewritten=False)
        link = made.mark(str(index), index * 20)
        assert link is not None
        assert link.sources[0].url == f"https://a.org/{index}"
    assert time.thread_time() - began < 2.0


def test_all_sources_of_a_message() -> None:
    made = references(
        content_references=[
            {"type": "grouped_webpages", "items": [PAGE_A]},
            {"type": "hidden", "items": [PAGE_B]},
            {"invalid": True, "items": [PAGE_B]},
            "odd",
        ],
        citations=[cited("https://c.org"), {"metadata": None}],
    )

    assert list(made.sources()) == [A, Citation("https://c.org", 'The "T"')]


def test_odd_metadata_is_survived() -> None:
    made = references(content_references={"x": 1}, citations="text")

    assert made.block(BLOCK) is None
    assert made.mark("1", 0) is None
    assert list(made.sources()) == []
