"""The list of requests, and the page that explains one of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request, url_for

from chat2api.errors import NotFound
from chat2api.service.explaining import explain
from chat2api.store.request_records import RequestFilter, RequestRecord
from chat2api.web.csv import csv_response
from chat2api.web.desk.explained import (
    Explained,
    Pill,
    account_href,
    answer_text,
    as_text,
    chosen_text,
    explained,
    models_text,
    thousands,
    tokens_text,
)
from chat2api.web.desk.frame import desk_blueprint, render_desk
from chat2api.web.desk.names import Names, names_in, names_of
from chat2api.web.desk.request_filter import RANGES, Asked, asked_in, local_text
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, time_zone
from chat2api.web.page_errors import wants_page
from chat2api.web.state import runtime
from chat2api.web.times import iso, seconds_text
from chat2api.web.verdicts import pill_of, sentence

blueprint = desk_blueprint("requests", __name__)

PAGE_ROWS = 50
MOST_COUNTED = 10_000
MOST_EXPORTED = 10_000
_EXPORTED_AT_ONCE = 200
_MOST_KEYS = 100
_MENU_DAYS = 14
_CSV_COLUMNS = (
    "time", "request_id", "status", "code", "path", "model", "answered_by", "key_id", "key", "account_id",
    "account", "attempts", "stream", "first_byte_seconds", "seconds", "prompt_tokens",
    "completion_tokens", "estimated", "client_address",
)  # fmt: skip


# --- the list


@blueprint.get("/admin/requests")
def page() -> Response:
    zone = ZoneInfo(time_zone())
    asked = asked_in(request.args, zone)
    records = runtime().desk.records
    filter = asked.as_filter(time.time())
    part = _part(filter)
    names = names_in(part.rows)
    if not wants_page():
        rows = [_facts(record, names) for record in part.rows]
        return json_response({"requests": rows, "next": _next(asked, part) or None})
    if asked.key or asked.account:
        names = _with(names, names_of([asked.key], [asked.account]))
    total = 0 if not part.rows and part.is_first else records.count(filter, MOST_COUNTED)
    return render_desk(
        "desk/requests.html",
        nav="requests",
        asked=asked,
        rows=[_row(record, names) for record in part.rows],
        is_new=asked.is_plain and part.is_first and not part.rows,
        chips=_chips(asked),
        spans=_spans(asked),
        removable=_removable(asked, names),
        menus=_menus(asked),
        since=local_text(asked.since, zone),
        until=local_text(asked.until, zone),
        counted=_counted(part, total),
        first_url="" if part.is_first else asked.address(),
        previous_url=_previous(asked, part),
        next_url=_next(asked, part),
        csv_url=asked.address("requests.export"),
        kept_days=runtime().settings.requests_kept_days,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A page of the list. `start` is how many come before it, as far as links have counted."""

    rows: Sequence[RequestRecord]
    start: int
    has_more: bool
    is_first: bool


def _part(filter: RequestFilter) -> _Part:
    """One row more than is shown tells whether others follow."""
    records = runtime().desk.records
    before, after = _number("before"), _number("after")
    start = _number("n") or 0
    if after is not None:
        rows = records.page(filter, after=after, most=PAGE_ROWS + 1)
        if len(rows) > PAGE_ROWS:
            return _Part(rows[1:], start, True, False)
        before, start = None, 0  # back at the beginning
    rows = records.page(filter, before=before, most=PAGE_ROWS + 1)
    is_first = before is None
    return _Part(rows[:PAGE_ROWS], 0 if is_first else start, len(rows) > PAGE_ROWS, is_first)


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _next(asked: Asked, part: _Part) -> str:
    if not part.has_more:
        return ""
    return asked.address(before=part.rows[-1].record_id, n=part.start + len(part.rows))


def _previous(asked: Asked, part: _Part) -> str:
    if part.is_first or not part.rows:
        return ""
    return asked.address(after=part.rows[0].record_id, n=max(0, part.start - PAGE_ROWS))


def _counted(part: _Part, total: int) -> str:
    if not part.rows:
        return ""
    values = {"first": thousands(part.start + 1), "last": thousands(part.start + len(part.rows))}
    if total >= MOST_COUNTED:
        return gettext(
            "%(first)s–%(last)s of more than %(total)s", **values, total=thousands(MOST_COUNTED)
        )
    known = max(total, part.start + len(part.rows))
    return gettext("%(first)s–%(last)s of %(total)s", **values, total=thousands(known))


@dataclass(frozen=True, slots=True)
class Row:
    """A request as the list shows it."""

    record: RequestRecord
    href: str
    pill: Pill
    sentence: str
    models: str
    key: str
    account: str
    account_href: str
    took: str
    first_byte: str
    tokens: str


def upstream_of(record: RequestRecord) -> str:
    """The configured upstream that was asked last; empty where that was an account."""
    last = record.trace.attempts[-1] if record.trace.attempts else None
    return "" if last is None else last.provider


def _row(record: RequestRecord, names: Names) -> Row:
    verdict = explain(record)
    role, glyph = pill_of(verdict)
    first = record.first_byte_seconds
    tokens = record.prompt_tokens + record.completion_tokens
    return Row(
        record=record,
        href=url_for("requests.one", request_id=record.request_id),
        pill=Pill(role, glyph, _word(record)),
        sentence=sentence(verdict) if record.code or verdict.tries > 1 else "",
        models=models_text(record),
        key=names.key(record.key_id),
        account=upstream_of(record) or names.account(record.account_id),
        account_href=account_href(record.account_id),
        took=seconds_text(record.seconds),
        first_byte="" if first is None else seconds_text(first),
        tokens=thousands(tokens) if tokens else "",
    )


def _word(record: RequestRecord) -> str:
    if record.failed:
        return gettext("Failed")
    return gettext("Hung up") if record.code else gettext("Worked")


# --- filters


def _chips(asked: Asked) -> list[tuple[str, str, bool]]:
    """Label, address, whether it is chosen."""
    every, failed = asked.without("state", "code"), asked.without("code")
    return [
        (gettext("All"), every.address(), not asked.state and not asked.code),
        (gettext("Failed"), failed.address(state="failed"), asked.state == "failed"),
    ]


def _spans(asked: Asked) -> list[tuple[str, str, bool]]:
    open_ended = asked.without("range", "since", "until")
    labels = {
        "1h": gettext("last hour"),
        "24h": gettext("24 h"),
        "7d": gettext("7 days"),
    }
    chosen = [
        (labels[name], open_ended.address(range=name), asked.range == name) for name in RANGES
    ]
    is_open = not asked.range and asked.since is None and asked.until is None
    return [(gettext("any time"), open_ended.address(), is_open), *chosen]


def _removable(asked: Asked, names: Names) -> list[tuple[str, str]]:
    """What else narrows the list: in words, and the address without it."""
    found = [
        ("account", gettext("Account: %(name)s", name=names.account(asked.account))),
        ("q", gettext("Request: %(id)s", id=asked.q)),
    ]
    return [(text, asked.without(name).address()) for name, text in found if getattr(asked, name)]


def _menus(asked: Asked) -> list[tuple[str, str, list[tuple[str, str]], str]]:
    """Name, label, options and choice of each menu. What is chosen is among the options in any case."""
    desk = runtime().desk
    since = time.time() - _MENU_DAYS * 86_400.0
    hours = int(since // 3600), int(time.time() // 3600) + 1
    keys = [one.value for one in desk.usage.tops("key", *hours, most=_MOST_KEYS) if one.value]
    names = names_of([*keys, asked.key])
    return [
        _menu("code", gettext("Error"), desk.records.codes(since), asked.code),
        _menu("model", gettext("Model"), desk.records.models(since), asked.model),
        _menu("key", gettext("Key"), keys, asked.key, {key: names.key(key) for key in keys}),
    ]


def _menu(
    name: str, label: str, values: Sequence[str], chosen: str, labels: dict[str, str] | None = None
) -> tuple[str, str, list[tuple[str, str]], str]:
    every = [*values, *([chosen] if chosen and chosen not in values else [])]
    options = [(value, (labels or {}).get(value, value)[:80]) for value in every]
    return name, label, [("", gettext("all")), *options], chosen


def _with(names: Names, more: Names) -> Names:
    return Names({**names.keys, **more.keys}, {**names.accounts, **more.accounts})


# --- as a file


@blueprint.get("/admin/requests.csv")
def export() -> Response:
    asked = asked_in(request.args, ZoneInfo(time_zone()))
    filter = asked.as_filter(time.time())
    # The first part before the answer begins: what fails then is still told as a failure.
    first = runtime().desk.records.page(filter, most=_EXPORTED_AT_ONCE)
    return csv_response("requests", _CSV_COLUMNS, _exported(filter, first))


def _exported(filter: RequestFilter, rows: Sequence[RequestRecord]) -> Iterator[Sequence[object]]:
    left = MOST_EXPORTED
    while rows and left > 0:
        names = names_in(rows)
        for record in rows[:left]:
            yield _csv_row(record, names)
        left -= len(rows)
        if len(rows) < _EXPORTED_AT_ONCE or left <= 0:
            return
        rows = runtime().desk.records.page(
            filter, before=rows[-1].record_id, most=_EXPORTED_AT_ONCE
        )


def _csv_row(record: RequestRecord, names: Names) -> Sequence[object]:
    return (
        iso(record.at), record.request_id, record.status, record.code, record.path, record.model,
        record.answered_by, record.key_id, names.key(record.key_id) if record.key_id else None,
        record.account_id or None, names.account(record.account_id) if record.account_id else None, record.attempts, record.stream, record.first_byte_seconds,
        record.seconds, record.prompt_tokens, record.completion_tokens, record.estimated, record.address,
    )  # fmt: skip


def _facts(record: RequestRecord, names: Names) -> dict[str, object]:
    """The columns of the file, for scripts."""
    return dict(zip(_CSV_COLUMNS, _csv_row(record, names), strict=True))


# --- one of them, explained


@blueprint.get("/admin/requests/<request_id>")
def one(request_id: str) -> Response:
    records = runtime().desk.records
    record = records.find(request_id)
    if record is None and not wants_page():
        raise NotFound("There is no such request, or it is too long ago.")
    if record is None:
        return render_desk(
            "desk/request_unknown.html",
            nav="requests",
            status=404,
            request_id=request_id[:80],
            kept_days=runtime().settings.requests_kept_days,
        )
    names = names_in([record])
    view = explained(record, names)
    if not wants_page():
        return json_response({**_facts(record, names), **_explanation(record, view)})
    return render_desk(
        "desk/request.html",
        nav="requests",
        record=record,
        view=view,
        key=names.key(record.key_id),
        models=models_text(record),
        chosen=chosen_text(record),
        tokens=tokens_text(record),
        answer=answer_text(record),
        links=_related(record),
        text=as_text(record, view, names),
        content=records.content(record.record_id),
        kept_days=runtime().settings.requests_kept_days,
    )


def _explanation(record: RequestRecord, view: Explained) -> dict[str, Any]:
    """For scripts. Sentences are in the language that they ask for."""
    return {
        "verdict": view.sentence,
        "side": explain(record).side,
        "next": view.step,
        "retry_at": None if view.retry_at is None else iso(view.retry_at),
        "trace": asdict(record.trace),
    }


def _related(record: RequestRecord) -> dict[str, Any]:
    """Where others like it are."""
    return {
        "account": account_href(record.account_id),
        "same_key": url_for("requests.page", key=record.key_id),
        "same_model": url_for("requests.page", model=record.model) if record.model else "",
        "same_code": url_for("requests.page", code=record.code) if record.code else "",
        "log": url_for("log.page", q=record.request_id),
    }
