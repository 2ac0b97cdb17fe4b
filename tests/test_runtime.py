"""Whether a worker still takes work."""

from __future__ import annotations

from chat2api.runtime import Lifecycle


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_draining_begins_once_and_never_ends() -> None:
    clock = Clock()
    lifecycle = Lifecycle(25.0, clock)
    assert (lifecycle.draining, lifecycle.cut_at) == (False, None)
    lifecycle.begin_drain()
    assert (lifecycle.draining, lifecycle.cut_at) == (True, 125.0)
    clock.now = 110.0
    lifecycle.begin_drain()
    assert (lifecycle.draining, lifecycle.cut_at) == (True, 125.0)
