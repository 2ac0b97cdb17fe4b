"""Which requests came, how each went and why: for people to look at. Written in batches, kept for a while.

Records are numbered as they are written, and a request is written when it has ended; so their order is
nearly that of their times, and a page is found by number, by an index, however many there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    literal,
    select,
    true,
)

from chat2api.secret import Secret
from chat2api.store.desk_tables import requests, usage_hours
from chat2api.store.opening import Store
from chat2api.store.traces import AttemptRecord as AttemptRecord
from chat2api.store.traces import Candidates as Candidates
from chat2api.store.traces import Trace as Trace
from chat2api.store.traces import clean, plain, trace_of, trace_text
from chat2api.store.vault import WrongKey

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
_MOST_COUNTED = 10_000
_MOST_NAMES = 200
# Longer than the longest request: within this a record may be out of the order of times.
_DISORDER_SECONDS = 7_200.0
# Up to here an index's entries are counted, to see which filter leaves the least to look at.
_GLANCE = 50_000
_DELETED_AT_ONCE = 500
_MOST_DELETIONS = 200
_BREATH_SECONDS = 0.02
_BIGGEST = 2**31 - 1

_r = requests.c
_SHOWN = [column for column in requests.c if column.name != "content"]


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """`at` is when the request came (epoch seconds), `seconds` until its last byte was out.

    `key_id` is "direct" or "anonymous" where no key of ours was used. `account_id` is that of the attempt
    that counted. `record_id` is 0 as long as it is not written.
    """

    request_id: str
    at: float
    seconds: float
    status: int
    failed: bool
    code: str = ""
    path: str = ""
    model: str = ""
    answered_by: str = ""
    provider: str = ""
    key_id: str = ""
    account_id: str = ""
    attempts: int = 0
    stream: bool = False
    first_byte_seconds: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False
    address: str = ""
    trace: Trace = field(default_factory=Trace)
    record_id: int = 0


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """What is empty or None does not matter. `since` counts in, `until` does not; epoch seconds."""

    failed: bool | None = None
    code: str = ""
    model: str = ""
    key_id: str = ""
    account_id: str = ""
    since: float | None = None
    until: float | None = None
    request_id: str = ""


class RequestRecords:
    """Every method raises StorageUnavailable."""

    def __init__(self, store: Store, breathe: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._breathe = breathe

    def add(
        self, records: Sequence[RequestRecord], contents: Mapping[str, str] | None = None
    ) -> None:
        """Write them in one transaction; `contents` by request id, sealed on their way."""
        if not records:
            return
        sealed = {
            request_id: self._store.vault.seal(Secret(text))
            for request_id, text in (contents or {}).items()
        }
        rows = [_row_of(record, sealed.get(record.request_id)) for record in records]
        self._store.database.write(
            lambda connection: connection.execute(requests.insert(), rows), wait_seconds=2.0
        )

    # --- looking

    def page(
        self,
        filter: RequestFilter,
        *,
        before: int | None = None,
        after: int | None = None,
        most: int = 50,
    ) -> list[RequestRecord]:
        """The newest first: those below the number `before`, or the next above `after`."""
        newer = after is not None
        query = select(*_SHOWN).limit(max(1, min(most, MOST_AT_ONCE)))
        query = query.order_by(_r.record_id.asc() if newer else _r.record_id.desc())
        if newer:
            query = query.where(_r.record_id > after)
        elif before is not None:
            query = query.where(_r.record_id < before)

        def work(connection: Connection) -> Sequence[Row[Any]]:
            narrow = _narrowed(connection, filter)
            return [] if narrow is None else connection.execute(query.where(narrow)).all()

        found = [_record_of(row) for row in self._store.database.read(work)]
        return found[::-1] if newer else found

    def count(self, filter: RequestFilter, most: int = _MOST_COUNTED) -> int:
        """How many there are, counted up to `most`."""

        def work(connection: Connection) -> int:
            narrow = _narrowed(connection, filter)
            return 0 if narrow is None else _counted(connection, narrow, most)

        return self._store.database.read(work)

    def find(self, request_id: str) -> RequestRecord | None:
        """The newest under this id."""
        query = select(*_SHOWN).where(_r.request_id == plain(request_id, 80))
        query = query.order_by(_r.record_id.desc()).limit(1)
        row = self._store.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _record_of(row)

    def content(self, record_id: int) -> str | None:
        """Prompt and answer, where they were kept; None too where they cannot be opened."""
        query = select(_r.content).where(_r.record_id == record_id)
        sealed = self._store.database.read(lambda connection: connection.execute(query).scalar())
        if sealed is None:
            return None
        try:
            return self._store.vault.open(sealed).reveal()
        except WrongKey as error:
            log.error("a kept content cannot be opened: %s", error)
            return None

    def codes(self, since: float) -> list[str]:
        """The error codes there were since then (epoch seconds), sorted."""
        return self._names("code", since)

    def models(self, since: float) -> list[str]:
        return self._names("model", since)

    def _names(self, dimension: str, since: float) -> list[str]:
        """From the sums by the hour, which are few."""
        hours = usage_hours.c
        query = (
            select(hours.value)
            .where(hours.dimension == dimension, hours.hour >= int(since // 3600))
            .where(hours.value != "")
            .group_by(hours.value)
            .order_by(func.sum(hours.requests).desc())
            .limit(_MOST_NAMES)
        )
        names = self._store.database.read(
            lambda connection: connection.execute(query).scalars().all()
        )
        return sorted(names)

    def lately(self, seconds: float = 3600.0, most: int = 100_000) -> int:
        """How many requests came in the last `seconds`, counted up to `most`."""
        filter = RequestFilter(since=self._store.now() - seconds)
        return self.count(filter, most)

    # --- forgetting

    def prune(self, days: float, most: int) -> int:
        """Forget those older than `days`, and the oldest above `most`; how many went.

        In small transactions, for others want to write too; what is left over is done the next time.
        """
        old = select(_r.record_id).where(_r.at < self._store.now() - days * 86_400.0)
        newest = self._store.database.read(
            lambda connection: connection.execute(select(func.max(_r.record_id))).scalar()
        )
        above = select(_r.record_id).where(_r.record_id <= (newest or 0) - most)
        return self._swept(old.order_by(_r.at)) + self._swept(above.order_by(_r.record_id))

    def _swept(self, which: Select[tuple[int]]) -> int:
        ids = which.limit(_DELETED_AT_ONCE).scalar_subquery()
        statement = delete(requests).where(_r.record_id.in_(ids))
        total = 0
        for _ in range(_MOST_DELETIONS):
            gone = self._store.database.write(
                lambda connection: connection.execute(statement).rowcount
            )
            total += gone
            if gone < _DELETED_AT_ONCE:
                break
            self._breathe(_BREATH_SECONDS)
        return total


# --- finding


def _narrowed(connection: Connection, filter: RequestFilter) -> ColumnElement[bool] | None:
    """The filter as a condition that makes the database begin where the least is to be looked at; None
    when nothing can match."""
    chosen = {name: value for name, value in _equalities(filter).items() if value not in (None, "")}
    numbers = _numbers(connection, filter)
    if numbers is None:
        return None
    best = _most_telling(connection, chosen, numbers)
    parts = [
        _r[name] == value if name == best else _unindexed(_r[name]) == value
        for name, value in chosen.items()
    ]
    if filter.since is not None:
        parts.append(_unindexed(_r.at) >= filter.since)
    if filter.until is not None:
        parts.append(_unindexed(_r.at) < filter.until)
    return and_(numbers, *parts)


def _equalities(filter: RequestFilter) -> dict[str, Any]:
    return {
        "request_id": filter.request_id,
        "account_id": filter.account_id,
        "code": filter.code,
        "key_id": filter.key_id,
        "model": filter.model,
        "failed": filter.failed,
    }


def _most_telling(
    connection: Connection, chosen: Mapping[str, Any], numbers: ColumnElement[bool]
) -> str | None:
    """The filter that leaves the fewest records by itself; the database would have to guess."""
    if len(chosen) < 2:
        return next(iter(chosen), None)
    counts = {
        name: _counted(connection, and_(numbers, _r[name] == value), _GLANCE)
        for name, value in chosen.items()
    }
    return min(counts, key=counts.__getitem__)


def _unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same value, but nothing that an index could be chosen for."""
    return func.coalesce(column, column)


def _counted(connection: Connection, condition: ColumnElement[bool], most: int) -> int:
    rows = select(literal(1)).select_from(requests).where(condition).limit(most).subquery()
    return int(connection.execute(select(func.count()).select_from(rows)).scalar_one())


def _numbers(connection: Connection, filter: RequestFilter) -> ColumnElement[bool] | None:
    """The filter's times as numbers of records, which every index is ordered by; a little too wide, for
    records are a little out of order. None when there is nothing between them."""
    parts: list[ColumnElement[bool]] = [true()]
    if filter.since is not None:
        first = connection.execute(
            select(_r.at).where(_r.at >= filter.since).order_by(_r.at).limit(1)
        ).scalar()
        if first is None:
            return None
        near = and_(_r.at >= first, _r.at <= first + _DISORDER_SECONDS)
        lowest = connection.execute(select(func.min(_r.record_id)).where(near)).scalar_one()
        parts.append(_r.record_id >= lowest)
    if filter.until is not None:
        last = connection.execute(
            select(_r.at).where(_r.at < filter.until).order_by(_r.at.desc()).limit(1)
        ).scalar()
        if last is None:
            return None
        near = and_(_r.at >= last - _DISORDER_SECONDS, _r.at <= last)
        highest = connection.execute(select(func.max(_r.record_id)).where(near)).scalar_one()
        parts.append(_r.record_id <= highest)
    return and_(*parts)


# --- rows


def _row_of(record: RequestRecord, content: str | None) -> dict[str, Any]:
    return {
        "request_id": plain(record.request_id, 80),
        "at": record.at,
        "seconds": record.seconds,
        "first_byte_seconds": record.first_byte_seconds,
        "status": record.status,
        "failed": record.failed,
        "code": clean(record.code),
        "path": plain(record.path),
        "model": clean(record.model),
        "answered_by": clean(record.answered_by),
        "provider": plain(record.provider),
        "key_id": plain(record.key_id),
        "account_id": plain(record.account_id),
        "attempts": record.attempts,
        "stream": record.stream,
        "prompt_tokens": min(record.prompt_tokens, _BIGGEST),
        "completion_tokens": min(record.completion_tokens, _BIGGEST),
        "estimated": record.estimated,
        "address": plain(record.address),
        "trace": trace_text(record.trace),
        "content": content,
    }


def _record_of(row: Row[Any]) -> RequestRecord:
    values = dict(row._mapping)
    return RequestRecord(**values | {"trace": trace_of(values["trace"])})
