"""How far our clock is from the upstream's."""

from __future__ import annotations

from email.utils import formatdate

from chat2api.transport.far_clock import FarClock

NOW = 1_750_000_000.0


class Times:
    def __init__(self) -> None:
        self.now = NOW
        self.ticks = 1000.0

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.ticks += seconds


def made() -> tuple[FarClock, Times]:
    times = Times()
    return FarClock(lambda: times.now, lambda: times.ticks), times


def date(at: float) -> str:
    return formatdate(at, usegmt=True)


def test_the_middle_of_several_answers_counts() -> None:
    far, times = made()
    for ahead in (45.0, 3000.0, 46.0):  # a cache gave the second
        assert far.offset is None
        far.note(date(times.now - ahead))
        times.pass_by(60)
    assert far.offset == 46.0


def test_one_answer_a_minute_is_looked_at() -> None:
    far, times = made()
    for _ in range(100):
        far.note(date(times.now))
        times.pass_by(1)
    assert far.offset is None
    times.pass_by(60)
    far.note(date(times.now + 10))
    assert far.offset == 0.0


def test_dates_that_are_none_are_passed_over() -> None:
    far, times = made()
    for text in (None, "", "yesterday", "Mon, 99 Foo 2025 25:61:61 GMT", "0"):
        far.note(text)
        times.pass_by(60)
    assert far.offset is None
