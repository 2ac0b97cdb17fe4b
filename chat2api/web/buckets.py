"""The columns of a chart over time: hours, days or weeks of the reader's zone, made of hours. Pure.

Hours are counted since the epoch. In zones that are half an hour off, an hour belongs to the day in which
it begins.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

Unit = Literal["hour", "day", "week"]

MOST_HOURS = 48
MOST_DAYS = 62
_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Bucket:
    """From the hour `begin` to before the hour `end`. `running`: it is not over."""

    begin: int
    end: int
    running: bool = False

    @property
    def begins_at(self) -> int:
        """Epoch seconds."""
        return self.begin * _HOUR_SECONDS

    @property
    def ends_at(self) -> int:
        return self.end * _HOUR_SECONDS


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time as columns; `buckets` follow each other without a gap."""

    unit: Unit
    buckets: tuple[Bucket, ...]

    @property
    def since(self) -> int:
        return self.buckets[0].begin

    @property
    def until(self) -> int:
        return self.buckets[-1].end

    def index_of(self, hour: int) -> int:
        """In which column an hour falls; an hour before all of them counts to the first."""
        found = bisect_right(self.buckets, hour, key=lambda bucket: bucket.begin) - 1
        return max(0, found)


def last_hours(number: int, now: float) -> Span:
    """So many hours, the running one is the last."""
    end = int(now // _HOUR_SECONDS) + 1
    hours = [Bucket(hour, hour + 1, hour + 1 == end) for hour in range(end - number, end)]
    return Span("hour", tuple(hours))


def last_days(number: int, now: float, zone: tzinfo) -> Span:
    """So many days of the zone, today is the last."""
    today = datetime.fromtimestamp(now, zone).date()
    return days(today - timedelta(days=number - 1), today, now, zone)


def days(first: date, last: date, now: float, zone: tzinfo) -> Span:
    """From the first day to the last, both within; not beyond today. Many days become weeks."""
    today = datetime.fromtimestamp(now, zone).date()
    last = min(last, today)
    first = min(first, last)
    number = (last - first).days + 1
    step = 1 if number <= MOST_DAYS else 7
    begins = [first + timedelta(days=index) for index in range(0, number, step)]
    # What is to come has no hours yet.
    end = min(_first_hour(last + timedelta(days=1), zone), int(now // _HOUR_SECONDS) + 1)
    edges = [*(_first_hour(begin, zone) for begin in begins), end]
    return Span("day" if step == 1 else "week", tuple(_between(edges, is_running=last == today)))


def _between(edges: Sequence[int], *, is_running: bool) -> list[Bucket]:
    pairs = list(itertools.pairwise(edges))
    return [
        Bucket(begin, max(begin + 1, end), is_running and index == len(pairs) - 1)
        for index, (begin, end) in enumerate(pairs)
    ]


def _first_hour(day: date, zone: tzinfo) -> int:
    """The first hour that begins within a day."""
    midnight = datetime.combine(day, time(), zone).timestamp()
    return -int(-midnight // _HOUR_SECONDS)
