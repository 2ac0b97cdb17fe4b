"""What was used: by hour or day, by model, key and account, with what failed and how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

import flask_babel  # type: ignore[import-untyped]
from babel.dates import format_skeleton
from flask import Response, request, url_for

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.settings.mask import clip
from chat2api.store.request_records import RequestFilter
from chat2api.store.usage_hours import UsageSum
from chat2api.web.buckets import Bucket, Span, days, last_days, last_hours
from chat2api.web.charts import (
    BAD,
    MOST_SERIES,
    OTHERS,
    Bar,
    Series,
    Stack,
    StackedBars,
    bars,
    stacked,
)
from chat2api.web.csv import csv_response
from chat2api.web.desk.explained import thousands
from chat2api.web.desk.frame import desk_blueprint, render_desk
from chat2api.web.desk.names import Names, names_of
from chat2api.web.languages import gettext, ngettext, time_zone
from chat2api.web.state import runtime
from chat2api.web.times import clock_time, seconds_text

blueprint = desk_blueprint("usage", __name__)

By = Literal["model", "key", "account"]
DIMENSIONS: tuple[By, ...] = ("model", "key", "account")
_RANGES = {"24h": 24, "7d": 7, "30d": 30}
_MOST_CODES = 10
_MOST_IN_CSV = 500
_VALUES_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """`first` and `last` are days, for the range "custom" only. `zone` is that of the columns."""

    by: By
    range: str
    first: date | None
    last: date | None
    span: Span
    zone: tzinfo

    def address(self, endpoint: str = "usage.page", **changes: Any) -> str:
        custom = {"first": self.first, "last": self.last} if self.range == "custom" else {}
        values: dict[str, Any] = {"by": self.by, "range": self.range, **custom, **changes}
        return url_for(endpoint, **values)


def _asked() -> Asked:
    wish = request.args.get("by", "")
    by: By = next((name for name in DIMENSIONS if name == wish), "model")
    first, last = _day("first"), _day("last")
    span_name = request.args.get("range", "")
    if span_name == "custom" and (first is None or last is None):
        span_name = ""
    if span_name not in (*_RANGES, "custom"):
        span_name = "7d"
    # Long ago there are only whole days of UTC for accounts.
    zone: tzinfo = UTC if by == "account" and span_name != "24h" else ZoneInfo(time_zone())
    now = time.time()
    if span_name == "24h":
        span = last_hours(24, now)
    elif span_name == "custom" and first is not None and last is not None:
        oldest = datetime.fromtimestamp(_oldest(now), zone).date()
        span = days(max(min(first, last), oldest), max(last, first, oldest), now, zone)
    else:
        span = last_days(_RANGES[span_name], now, zone)
    return Asked(by, span_name, first, last, span, zone)


def _oldest(now: float) -> float:
    return now - runtime().settings.usage_kept_days * 86_400.0


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


# --- the page


@blueprint.get("/admin/usage")
def page() -> Response:
    asked = _asked()
    usage = runtime().desk.usage
    since, until = asked.span.since, asked.span.until
    totals = usage.totals(since, until)
    if not totals.requests:
        return _empty(asked)
    latency = usage.latency(since, until)
    tops = usage.tops(asked.by, since, until, most=MOST_SERIES)
    # One more: callers who hung up have a code, and did not fail.
    codes = usage.tops("code", since, until, most=_MOST_CODES + 1)
    codes = [one for one in codes if one.failed][:_MOST_CODES]
    words = _Words(asked, names_of(*_ids(asked.by, tops)))
    return render_desk(
        "desk/usage.html",
        nav="usage",
        asked=asked,
        chips=_chips(asked),
        dimensions=_dimensions(asked),
        totals=totals,
        failed_href=_requests(since, until, state="failed"),
        all_href=_requests(since, until),
        failed_share=_share(totals),
        p50="" if latency is None else seconds_text(latency.p50),
        p95="" if latency is None else seconds_text(latency.p95),
        zone=str(asked.zone),
        chart=_chart(asked, tops, words),
        about=_about(asked),
        top_bars=_top_bars(asked, tops, totals, words),
        code_bars=_code_bars(asked, codes),
        top_title=_top_title(asked.by),
        csv_url=asked.address("usage.export"),
        kept_days=runtime().settings.usage_kept_days,
    )


def _empty(asked: Asked) -> Response:
    """The first run, or a span in which nothing came."""
    return render_desk(
        "desk/usage_empty.html",
        nav="usage",
        asked=asked,
        chips=_chips(asked),
        is_new=not runtime().desk.records.count(RequestFilter(), most=1),
        wider=asked.address(range="30d") if asked.range in ("24h", "7d") else "",
    )


def _chips(asked: Asked) -> list[tuple[str, str, bool]]:
    labels = {"24h": gettext("24 h"), "7d": gettext("7 days"), "30d": gettext("30 days")}
    return [
        (labels[name], url_for("usage.page", by=asked.by, range=name), asked.range == name)
        for name in _RANGES
    ]


def _dimensions(asked: Asked) -> list[tuple[str, str, bool]]:
    labels = {"model": gettext("Model"), "key": gettext("Key"), "account": gettext("Account")}
    return [(labels[name], asked.address(by=name), asked.by == name) for name in DIMENSIONS]


def _top_title(by: By) -> str:
    match by:
        case "model":
            return gettext("Most used models")
        case "key":
            return gettext("Most used keys")
        case "account":
            return gettext("Most used accounts")


def _about(asked: Asked) -> str:
    zone = str(asked.zone)
    match asked.span.unit:
        case "hour":
            return gettext("Requests by hour. Times: %(zone)s", zone=zone)
        case "day":
            return gettext("Requests by day. Days: %(zone)s", zone=zone)
        case "week":
            return gettext("Requests by seven days. Days: %(zone)s", zone=zone)


# --- what stands in it


def _requests(since: int, until: int, **filter: str) -> str:
    """The requests behind a number. `since` and `until` are hours."""
    values: dict[str, Any] = {"since": since * 3600, "until": until * 3600, **filter}
    return url_for("requests.page", **values)


def _ids(by: By, tops: Sequence[UsageSum]) -> tuple[list[str], list[str]]:
    values = [one.value for one in tops]
    return (values if by == "key" else [], values if by == "account" else [])


class _Words:
    """What things are called in one view."""

    def __init__(self, asked: Asked, names: Names) -> None:
        self._by = asked.by
        self._unit = asked.span.unit
        self._zone = asked.zone
        self._names = names

    def value(self, value: str) -> str:
        match self._by:
            case "key":
                return self._names.key(value)
            case "account":
                return self._names.account(value)
        return clip(value)[:80] or "–"

    def bucket(self, bucket: Bucket) -> str:
        if self._unit == "hour":
            return clock_time(bucket.begins_at)
        begins = datetime.fromtimestamp(bucket.begins_at, self._zone)
        return str(format_skeleton("MMMd", begins, locale=flask_babel.get_locale()))


def _chart(asked: Asked, tops: Sequence[UsageSum], words: _Words) -> StackedBars:
    columns = _columns(asked, [one.value for one in tops])
    since, until = asked.span.since, asked.span.until
    series = [
        Series(number, words.value(one.value), _requests(since, until, **{asked.by: one.value}))
        if one.value
        else Series(number, words.value(one.value))
        for number, one in enumerate(tops, 1)
    ]
    if any(column[-1] for column in columns):
        series.append(Series(OTHERS, gettext("others")))
    else:
        columns = [column[:-1] for column in columns]
    values = [one.value for one in tops]
    return stacked(
        [
            _stack(asked.by, bucket, tuple(column), series, values, words)
            for bucket, column in zip(asked.span.buckets, columns, strict=True)
        ],
        series,
    )


def _columns(asked: Asked, values: Sequence[str]) -> list[list[int]]:
    """Requests of each value in each column, and of all others at the end of it."""
    usage, span = runtime().desk.usage, asked.span
    places = {value: index for index, value in enumerate(values)}
    columns = [[0] * (len(values) + 1) for _ in span.buckets]
    for hour in usage.series(asked.by, span.since, span.until, values) if values else ():
        columns[span.index_of(hour.hour)][places[hour.value]] += hour.requests
    for hour in usage.series("all", span.since, span.until):
        columns[span.index_of(hour.hour)][-1] += hour.requests
    for column in columns:
        column[-1] = max(0, column[-1] - sum(column[:-1]))
    return columns


def _stack(
    by: By,
    bucket: Bucket,
    column: tuple[int, ...],
    series: Sequence[Series],
    values: Sequence[str],
    words: _Words,
) -> Stack:
    total = sum(column)
    label = words.bucket(bucket)
    parts = [
        f"{one.label} {number:,}" for one, number in zip(series, column, strict=True) if number
    ]
    head = ngettext(
        "%(when)s: %(total)s request", "%(when)s: %(total)s requests", total, when=label, total=thousands(total)
    )  # fmt: skip
    if bucket.running:
        head = gettext("%(said)s so far", said=head)
    hrefs = [
        _requests(bucket.begin, bucket.end, **{by: value}) if value else "" for value in values
    ]
    hrefs += [""] * (len(column) - len(hrefs))
    return Stack(
        label=label,
        values=column,
        text=" · ".join([head, *parts]) if len(parts) > 1 else head,
        href=_requests(bucket.begin, bucket.end),
        running=bucket.running,
        hrefs=tuple(hrefs),
    )


def _top_bars(
    asked: Asked, tops: Sequence[UsageSum], totals: UsageSum, words: _Words
) -> tuple[Bar, ...]:
    since, until = asked.span.since, asked.span.until
    found = [
        Bar(
            words.value(one.value),
            one.requests,
            _sum_text(one),
            _requests(since, until, **{asked.by: one.value}) if one.value else "",
            number,
        )
        for number, one in enumerate(tops, 1)
    ]
    rest = totals.requests - sum(one.requests for one in tops)
    if rest > 0:
        found.append(Bar(gettext("others"), rest, thousands(rest), "", OTHERS))
    return bars(found)


def _sum_text(one: UsageSum) -> str:
    parts = [thousands(one.requests)]
    if one.failed:
        parts.append(gettext("%(share)s failed", share=_share(one)))
    tokens = one.prompt_tokens + one.completion_tokens
    if tokens:
        text = ngettext("%(number)s token", "%(number)s tokens", tokens, number=thousands(tokens))
        parts.append(gettext("%(said)s, estimated", said=text) if one.estimated else text)
    return " · ".join(parts)


def _code_bars(asked: Asked, codes: Sequence[UsageSum]) -> tuple[Bar, ...]:
    since, until = asked.span.since, asked.span.until
    return bars(
        [
            Bar(
                one.value or gettext("without a code"),
                one.failed,
                thousands(one.failed),
                _requests(since, until, state="failed", code=one.value),
                BAD,
            )
            for one in codes
        ]
    )


def _share(of: UsageSum) -> str:
    """A tenth of a per cent at the least, where there is anything at all."""
    share = 100 * of.failed / max(1, of.requests)
    return f"{max(share, 0.1) if of.failed else 0:.1f} %"


# --- as a file


@blueprint.get("/admin/usage.csv")
def export() -> Response:
    asked = _asked()
    usage, span = runtime().desk.usage, asked.span
    values = [one.value for one in usage.tops(asked.by, span.since, span.until, most=_MOST_IN_CSV)]
    sums: dict[tuple[int, str], list[int]] = {}
    for start in range(0, len(values), _VALUES_AT_ONCE):
        some = values[start : start + _VALUES_AT_ONCE]
        for hour in usage.series(asked.by, span.since, span.until, some):
            held = sums.setdefault((span.index_of(hour.hour), hour.value), [0] * 5)
            numbers = (
                hour.requests, hour.failed, hour.prompt_tokens, hour.completion_tokens, hour.estimated,
            )  # fmt: skip
            for index, number in enumerate(numbers):
                held[index] += number
        time.sleep(BREATH_SECONDS)  # there may be tens of thousands of hours, and other requests
    ids = {value for _, value in sums}
    names = names_of(ids if asked.by == "key" else (), ids if asked.by == "account" else ())
    columns = (
        "begins", asked.by, "name", "requests", "failed", "prompt_tokens", "completion_tokens", "estimated",
    )  # fmt: skip
    return csv_response("usage", columns, _csv_rows(asked, sums, _Words(asked, names)))


def _csv_rows(
    asked: Asked, sums: Mapping[tuple[int, str], Sequence[int]], words: _Words
) -> Iterator[Sequence[object]]:
    for (index, value), numbers in sorted(sums.items()):
        begins = datetime.fromtimestamp(asked.span.buckets[index].begins_at, asked.zone)
        yield (begins.isoformat(), value, words.value(value) if value else "", *numbers)
