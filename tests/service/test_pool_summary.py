"""Numbers of the pool, remembered for a moment."""

from __future__ import annotations

from typing import Any

from chat2api.pool.values import PoolCounts
from chat2api.service.pool_summary import PoolSummary


class Book:
    def __init__(self) -> None:
        self.asked = 0

    def counts(self) -> PoolCounts:
        self.asked += 1
        return PoolCounts(self.asked, 0, 0, 0, 0)


def test_it_counts_once_in_two_seconds_and_after_a_change() -> None:
    now = [0.0]
    book: Any = Book()
    summary = PoolSummary(book, lambda: now[0])
    assert [summary.counts().total, summary.counts().total] == [1, 1]
    now[0] = 1.9
    assert summary.counts().total == 1
    now[0] = 2.0
    assert summary.counts().total == 2
    summary.forget()
    assert summary.counts().total == 3
