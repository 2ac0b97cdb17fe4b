"""The steady time of day: jumps are told, and believed only when they last (C16)."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.lifetime.clock import BELIEVED_AFTER_SECONDS, JUMP_SECONDS, SteadyClock


class System:
    """Two clocks: the one that runs, and the one that may be set."""

    def __init__(self, running: float = 0.0) -> None:
        self.running = running
        self.off = 1_750_000_000.0
        self.jumps: list[float] = []
        self.clock = SteadyClock(
            lambda: self.running + self.off, lambda: self.running, self.jumps.append
        )

    def after(self, seconds: float) -> float:
        """The time told then, as seconds since the beginning."""
        self.running += seconds
        return self.clock.now() - 1_750_000_000.0


def test_it_follows_the_running_clock() -> None:
    system = System()
    assert [system.after(1.0) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert system.jumps == []


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 10 * 365 * 86_400.0])
def test_a_jump_moves_nothing_and_is_told_once(
    jump: float, caplog: pytest.LogCaptureFixture
) -> None:
    system = System()
    system.off += jump
    with caplog.at_level(logging.WARNING):
        assert [system.after(1.0) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert system.jumps == [jump]
    assert caplog.messages == ["the system clock jumped"]


def test_a_jump_that_is_taken_back_was_none() -> None:
    system = System()
    system.off += 3600
    system.after(BELIEVED_AFTER_SECONDS - 1)
    system.off -= 3600
    assert system.after(10.0) == BELIEVED_AFTER_SECONDS + 9
    system.off += 3600
    assert system.after(BELIEVED_AFTER_SECONDS - 1) == 2 * BELIEVED_AFTER_SECONDS + 8
    assert system.jumps == [3600, 3600]


def test_a_jump_that_lasts_is_believed() -> None:
    system = System()
    system.off -= 7200
    assert system.after(1.0) == 1.0
    system.after(BELIEVED_AFTER_SECONDS)
    assert system.after(1.0) == BELIEVED_AFTER_SECONDS + 2 - 7200
    assert system.jumps == [-7200]


@pytest.mark.parametrize(
    ("off", "told"), [(29.0, 1.0), (-29.0, 1.0), (100.0, 101.0), (-50.0, -49.0)]
)
def test_corrections_of_a_time_service(off: float, told: float) -> None:
    system = System()
    system.off += off
    assert system.after(1.0) == told
    assert system.jumps == []


def test_the_real_one_tells_the_time() -> None:
    assert abs(SteadyClock().now() - time.time()) < 5


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-1e6, 1e6)), max_size=20))
def test_whatever_is_set_time_goes_on_by_what_ran(steps: list[tuple[float, float]]) -> None:
    """Jumps that do not last, and no correction between: only the running clock counts."""
    system = System()
    expected = 0.0
    for seconds, off in steps:
        system.off = 1_750_000_000.0 + (off if abs(off) > JUMP_SECONDS + 1 else 0.0)
        expected += seconds
        system.after(seconds)
        system.off = 1_750_000_000.0
        assert system.after(0.0) == pytest.approx(expected, abs=1e-3)
