"""Going on with logins until none is due, or the worker is to end."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.jobs.logging_in import go_on_with_logins


class Due:
    def __init__(self, count: int) -> None:
        self.left = count

    def go_on(self) -> bool:
        self.left -= 1
        return self.left >= 0


@pytest.mark.parametrize(("count", "done"), [(0, 0), (3, 3), (99, 50)])
def test_each_that_is_due_is_gone_on_with(count: int, done: int) -> None:
    due: Any = Due(count)
    assert go_on_with_logins(due) == done


def test_a_worker_that_ends_begins_none() -> None:
    due: Any = Due(3)
    assert go_on_with_logins(due, lambda: True) == 0
    assert due.left == 3
