"""Numbers of the pool, remembered for a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat2api.pool.values import PoolCounts
from chat2api.service.pool_summary import LimitedModel, PoolSummary
from chat2api.store.pool_facts import ModelFree
from chat2api.store.usage_hours import UsageSum


class Book:
    def __init__(self) -> None:
        self.asked = 0

    def counts(self) -> PoolCounts:
        self.asked += 1
        return PoolCounts(self.asked, 0, 0, 0, 0)


class Facts:
    """Everything limited, but what is not to be."""

    def __init__(self, *free: str) -> None:
        self.asked: list[list[str]] = []
        self._free = free

    def limited(self, keys: Sequence[str]) -> dict[str, ModelFree]:
        self.asked.append(list(keys))
        return {key: ModelFree(0, 5, 9.0) for key in keys if key not in self._free}


class Usage:
    def __init__(self, **requests: int) -> None:
        self._requests = requests
        self.spans: list[tuple[int, int]] = []

    def tops(self, dimension: str, since: int, until: int, most: int) -> list[UsageSum]:
        self.spans.append((since, until))
        return [UsageSum(name, number) for name, number in self._requests.items()]


def made(now: list[float], book: Any = None, facts: Any = None, usage: Any = None) -> PoolSummary:
    return PoolSummary(book, facts, usage, lambda: 7200.0, lambda: now[0])


def test_it_counts_once_in_two_seconds_and_after_a_change() -> None:
    now = [0.0]
    summary = made(now, Book())
    assert [summary.counts().total, summary.counts().total] == [1, 1]
    now[0] = 1.9
    assert summary.counts().total == 1
    now[0] = 2.0
    assert summary.counts().total == 2
    summary.forget()
    assert summary.counts().total == 3


def test_limited_models_are_those_asked_for_of_late() -> None:
    """Names of one key count together; rare ones, and what is no model, not at all."""
    usage = Usage(**{"auto": 40, "gpt-5": 30, "gpt-5-old": 25, "": 500, "rare": 2, "free": 20})
    facts = Facts("free")
    found = made([0.0], facts=facts, usage=usage).limited(lambda name: name.removesuffix("-old"))
    assert usage.spans == [(1, 3)]
    assert facts.asked == [["gpt-5", "auto", "free"]]
    assert found == [
        LimitedModel("gpt-5", True, 0, 5, 9.0),
        LimitedModel("auto", False, 0, 5, 9.0),
    ]


def test_limited_models_are_looked_for_once_in_two_seconds_and_after_a_change() -> None:
    now, facts = [0.0], Facts()
    summary = made(now, facts=facts, usage=Usage(auto=1))
    for moment, count in ((0.0, 1), (1.9, 1), (2.0, 2)):
        now[0] = moment
        assert summary.limited(str)[0].model == "auto"
        assert len(facts.asked) == count
    summary.forget()
    summary.limited(str)
    assert len(facts.asked) == 3


def test_nobody_is_asked_where_nothing_was_asked_for() -> None:
    facts = Facts()
    assert made([0.0], facts=facts, usage=Usage()).limited(str) == []
    assert facts.asked == []
