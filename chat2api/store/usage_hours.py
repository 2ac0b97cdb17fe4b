"""How much was asked and answered, in sums by the hour: of everything, and by model, key, account, code.

Hours, because days begin at another hour in every time zone. Accounts are many: their hours are kept for
eight days, beside their sums by the UTC day, which are kept like everything else. So what is asked about
accounts over a longer time is exact to the UTC day at its older end.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, or_, select

from chat2api.store.desk_tables import latency_hours, usage_hours
from chat2api.store.opening import Store
from chat2api.store.request_records import RequestRecords
from chat2api.store.traces import clean, plain
from chat2api.store.upserts import add_up

Dimension = Literal["all", "model", "key", "account", "code"]

ACCOUNT_HOURS_DAYS = 8
_ACCOUNT_DAY = "account_day"
_DAY_HOURS = 24
_FIRST_STEP_SECONDS = 0.01
_STEPS_PER_DOUBLING = 8
_LAST_STEP = 8 * 19  # 0.01 s doubled 19 times: 87 minutes
_HOURS_SWEPT_AT_ONCE = 24
_ACCOUNT_HOURS_SWEPT_AT_ONCE = 1  # with thousands of rows
_MOST_SWEEPS = 500
_BREATH_SECONDS = 0.02

_u, _l = usage_hours.c, latency_hours.c
_COUNTED = ("requests", "failed", "prompt_tokens", "completion_tokens", "estimated")


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """One request. `hour` since the epoch; `code` of its error, empty without one."""

    hour: int
    model: str
    key_id: str
    account_id: str
    code: str
    failed: bool
    prompt_tokens: int
    completion_tokens: int
    estimated: bool
    first_byte_seconds: float | None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """`value`: of the dimension, such as a model's name. `estimated`: requests whose tokens are a guess."""

    value: str = ""
    requests: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class UsageHour:
    """The same within one hour (since the epoch); for accounts long ago, within the UTC day it begins."""

    hour: int
    value: str
    requests: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds to the first byte that half and 95 % of the requests stayed within; true to 5 %."""

    p50: float
    p95: float
    requests: int


class UsageHours:
    """Hours are counted since the epoch; spans begin with `since_hour` and end before `until_hour`.

    Every method raises StorageUnavailable.
    """

    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe

    def add(self, points: Iterable[UsagePoint]) -> None:
        """Add them to the sums, in one transaction."""
        sums: dict[tuple[str, int, str], list[int]] = {}
        steps: Counter[tuple[int, int]] = Counter()
        for point in points:
            _count(sums, point)
            if point.first_byte_seconds is not None:
                steps[point.hour, step_of(point.first_byte_seconds)] += 1
        if not sums:
            return
        rows = [
            {"dimension": key[0], "hour": key[1], "value": key[2]}
            | dict(zip(_COUNTED, numbers, strict=True))
            for key, numbers in sums.items()
        ]
        waits = [
            {"hour": hour, "step": step, "requests": number}
            for (hour, step), number in steps.items()
        ]

        def work(connection: Connection) -> None:
            add_up(connection, usage_hours, rows)
            add_up(connection, latency_hours, waits)

        self._store.database.write(work, wait_seconds=2.0)

    # --- looking

    def totals(self, since_hour: int, until_hour: int) -> UsageSum:
        query = select(*_sums()).where(_u.dimension == "all", *_span(since_hour, until_hour))
        row = self._store.database.read(lambda connection: connection.execute(query).one())
        return UsageSum("", *(int(number or 0) for number in row))

    def series(
        self,
        dimension: Dimension,
        since_hour: int,
        until_hour: int,
        values: Sequence[str] | None = None,
    ) -> list[UsageHour]:
        """Hour by hour, in order, hours without requests left out; of these values, or of all.

        Give the values of accounts: all of them over many hours are a lot.
        """
        query = select(_u.hour, _u.value, *[_u[name] for name in _COUNTED])
        spans = self._by_hours(_known(dimension), since_hour, until_hour)
        query = query.where(self._where(dimension, spans, values))
        query = query.order_by(_u.hour, _u.value)
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        return [UsageHour(*row) for row in rows]

    def tops(
        self, dimension: Dimension, since_hour: int, until_hour: int, most: int = 6
    ) -> list[UsageSum]:
        """Those with the most requests, the first first."""
        spans = self._by_days(_known(dimension), since_hour, until_hour)
        first = (
            select(_u.value)
            .where(self._where(dimension, spans, None))
            .group_by(_u.value)
            .order_by(func.sum(_u.requests).desc(), _u.value)
            .limit(most)
        )

        def work(connection: Connection) -> list[UsageSum]:
            # All their sums are asked for only of these: to sort thousands by one number is dear enough.
            names = connection.execute(first).scalars().all()
            whose = self._where(dimension, spans, names)
            query = select(_u.value, *_sums()).where(whose).group_by(_u.value)
            return [
                UsageSum(row[0], *(int(number) for number in row[1:]))
                for row in connection.execute(query)
            ]

        found = self._store.database.read(work)
        return sorted(found, key=lambda one: (-one.requests, one.value))

    def latency(self, since_hour: int, until_hour: int) -> Latency | None:
        """None when no answer began in that time."""
        query = (
            select(_l.step, func.sum(_l.requests))
            .where(_l.hour >= since_hour, _l.hour < until_hour)
            .group_by(_l.step)
            .order_by(_l.step)
        )
        rows = self._store.database.read(lambda connection: connection.execute(query).all())
        steps = [(int(row[0]), int(row[1])) for row in rows]
        total = sum(number for _, number in steps)
        if not total:
            return None
        return Latency(_quantile(steps, total * 0.5), _quantile(steps, total * 0.95), total)

    def last_hour(self) -> int:
        """Requests of the last 60 minutes, to the second: counted in the records, not in the hours."""
        return RequestRecords(self._store).lately()

    def _where(
        self, dimension: Dimension, spans: _Spans, values: Sequence[str] | None
    ) -> ColumnElement[bool]:
        hours = [_part(dimension, span, values) for span in spans.hours if span]
        days = [_part(_ACCOUNT_DAY, spans.days, values)] if spans.days else []
        return or_(*hours, *days) if hours or days else false()

    def _by_hours(self, dimension: Dimension, since: int, until: int) -> _Spans:
        """Hours, as far as there are any; before that, days."""
        if dimension != "account":
            return _Spans((range(since, until),))
        kept_from = self._first_account_hour()
        days = range(since // _DAY_HOURS * _DAY_HOURS, min(kept_from, until), _DAY_HOURS)
        return _Spans((range(max(since, kept_from), until),), days)

    def _by_days(self, dimension: Dimension, since: int, until: int) -> _Spans:
        """As many whole UTC days as there are between, for there are a few per cent as many of them."""
        if dimension != "account":
            return _Spans((range(since, until),))
        # Where the hours are gone the day counts from its beginning.
        if since < self._first_account_hour():
            since = since // _DAY_HOURS * _DAY_HOURS
        first = -(-since // _DAY_HOURS) * _DAY_HOURS
        now = int(self._store.now() // 3600)
        # Nothing comes after this hour: the day that has begun is whole as well.
        last = -(-until // _DAY_HOURS) if until > now else until // _DAY_HOURS
        last *= _DAY_HOURS
        if last <= first:
            return _Spans((range(since, until),))
        return _Spans((range(since, first), range(last, until)), range(first, last, _DAY_HOURS))

    def _first_account_hour(self) -> int:
        today = int(self._store.now() // 86_400)
        return (today - ACCOUNT_HOURS_DAYS) * _DAY_HOURS

    # --- forgetting

    def prune(self, days: int) -> int:
        """Forget hours older than `days`, and those of accounts older than eight; how many rows went."""
        now = int(self._store.now() // 3600)
        oldest = now - days * _DAY_HOURS
        total = self._swept("account", max(oldest, self._first_account_hour()))
        for dimension in (*get_args(Dimension), _ACCOUNT_DAY):
            total += self._swept(dimension, oldest)
        gone = delete(latency_hours).where(_l.hour < oldest)
        return total + self._store.database.write(
            lambda connection: connection.execute(gone).rowcount
        )

    def _swept(self, dimension: str, before: int) -> int:
        """A little at a time, for others want to write too; what is left over is done the next time."""
        which = _u.dimension == dimension
        many = dimension == "account"
        hours = _ACCOUNT_HOURS_SWEPT_AT_ONCE if many else _HOURS_SWEPT_AT_ONCE
        total = 0
        for _ in range(_MOST_SWEEPS):
            first = self._store.database.read(
                lambda connection: connection.execute(
                    select(func.min(_u.hour)).where(which)
                ).scalar()
            )
            if first is None or first >= before:
                break
            end = min(first + hours, before)
            gone = delete(usage_hours).where(which, _u.hour < end)
            total += self._store.database.write(
                lambda connection, gone=gone: connection.execute(gone).rowcount  # type: ignore[misc]
            )
            self._breathe(_BREATH_SECONDS)
        return total


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where sums are to be looked for: under their hours, and under the first hours of whole days."""

    hours: tuple[range, ...]
    days: range = range(0)


def _known(dimension: Dimension) -> Dimension:
    if dimension not in get_args(Dimension):
        raise ValueError(f"no dimension {dimension!r}")
    return dimension


def _count(sums: dict[tuple[str, int, str], list[int]], point: UsagePoint) -> None:
    hour, account_id = point.hour, plain(point.account_id)
    cells = [
        ("all", hour, ""),
        ("model", hour, clean(point.model)),
        ("key", hour, plain(point.key_id)),
    ]
    if point.code:
        cells.append(("code", hour, clean(point.code)))
    if account_id:
        cells.append(("account", hour, account_id))
        cells.append((_ACCOUNT_DAY, hour // _DAY_HOURS * _DAY_HOURS, account_id))
    failed, estimated = int(point.failed), int(point.estimated)
    for cell in cells:
        held = sums.get(cell)
        if held is None:
            held = sums[cell] = [0, 0, 0, 0, 0]
        held[0] += 1
        held[1] += failed
        held[2] += point.prompt_tokens
        held[3] += point.completion_tokens
        held[4] += estimated


def _sums() -> list[ColumnElement[Any]]:
    return [func.sum(_u[name]) for name in _COUNTED]


def _span(since: int, until: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _u.hour >= since, _u.hour < until


def _part(dimension: str, hours: range, values: Sequence[str] | None) -> ColumnElement[bool]:
    if values is None:
        return and_(_u.dimension == dimension, *_span(hours.start, hours.stop))
    # Every hour by name: each is then one look into the index, whatever else the hours hold.
    return and_(_u.dimension == dimension, _u.hour.in_(list(hours)), _u.value.in_(list(values)))


# --- steps of the scale of waits


def step_of(seconds: float) -> int:
    if seconds <= _FIRST_STEP_SECONDS:
        return 0
    step = int(math.log2(seconds / _FIRST_STEP_SECONDS) * _STEPS_PER_DOUBLING)
    return min(step, _LAST_STEP)


def seconds_of(step: int) -> float:
    """The middle of a step."""
    return _FIRST_STEP_SECONDS * math.pow(2.0, (step + 0.5) / _STEPS_PER_DOUBLING)


def _quantile(steps: Sequence[tuple[int, int]], wanted: float) -> float:
    seen = 0
    for step, number in steps:
        seen += number
        if seen >= wanted:
            return seconds_of(step)
    return seconds_of(steps[-1][0])
