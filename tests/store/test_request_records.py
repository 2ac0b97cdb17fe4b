"""Requests as they are kept: written in batches, found page by page, forgotten in time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from chat2api.store import desk_tables
from chat2api.store.opening import Store
from chat2api.store.request_records import (
    AttemptRecord,
    Candidates,
    RequestFilter,
    RequestRecord,
    RequestRecords,
    Trace,
)

from .handed import NOW, Clock, rows

EVERYTHING = RequestFilter()


@pytest.fixture
def records(store: Store) -> RequestRecords:
    return RequestRecords(store, breathe=lambda seconds: None)


def record(name: str, **more: Any) -> RequestRecord:
    plainest: dict[str, Any] = {"at": NOW, "seconds": 1.0, "status": 200, "failed": False}
    return RequestRecord(name, **plainest | more)


def names(found: list[RequestRecord]) -> list[str]:
    return [one.request_id for one in found]


def test_everything_of_a_record_comes_back(records: RequestRecords) -> None:
    attempt = AttemptRecord(1, "pool", "a", "x", 429, "limited", 30.0, 0.1, 0.2, None, 0.3, True)
    full = RequestRecord(
        "req_1", NOW, 8.5, 200, False, "", "/v1/chat/completions", "gpt-5", "gpt-5-mini", "chatgpt",
        "key_1", "acc_1", 2, True, 0.9, 12, 1204, True, "203.0.113.9",
        Trace((attempt,), Candidates(200, 142, 18, 28, 5, 12, 3, 1), 0.1, "random", ("tools",), "told", 9.0),
    )  # fmt: skip
    records.add([full])
    assert records.find("req_1") == replace(full, record_id=1)
    assert records.find("req_2") is None


def test_the_newest_of_one_id_counts(records: RequestRecords) -> None:
    records.add([record("same", status=500), record("same", status=200)])
    found = records.find("same")
    assert found is not None
    assert found.status == 200


def test_nothing_is_written_for_nothing(records: RequestRecords) -> None:
    records.add([])
    assert records.page(EVERYTHING) == []
    assert records.count(EVERYTHING) == 0


def test_texts_that_a_database_would_refuse(records: RequestRecords) -> None:
    odd = record("a\0b", model="m\ud800" + "x" * 500, code="sk-planted-secret", prompt_tokens=2**40)
    records.add([odd])
    (found,) = records.page(EVERYTHING)
    assert (len(found.model), found.prompt_tokens) == (200, 2**31 - 1)
    assert "planted" not in found.code


def test_contents_are_sealed(records: RequestRecords, store: Store) -> None:
    records.add([record("one"), record("two")], {"one": "planted prompt 中文 \ud800"})
    one, two = rows(store, desk_tables.requests)
    assert "planted" not in str(one)
    assert records.content(one["record_id"]) == "planted prompt 中文 \ud800"
    assert records.content(two["record_id"]) is None
    assert records.content(99) is None


def test_a_content_that_cannot_be_opened_is_none(records: RequestRecords, store: Store) -> None:
    records.add([record("one")], {"one": "x"})
    damage = update(desk_tables.requests).values(content="damaged")
    store.database.write(lambda connection: connection.execute(damage))
    assert records.content(1) is None


def test_pages_forth_and_back(records: RequestRecords) -> None:
    records.add([record(str(number)) for number in range(7)])
    first = records.page(EVERYTHING, most=3)
    second = records.page(EVERYTHING, before=first[-1].record_id, most=3)
    third = records.page(EVERYTHING, before=second[-1].record_id, most=3)
    assert [names(page) for page in (first, second, third)] == [
        ["6", "5", "4"], ["3", "2", "1"], ["0"],
    ]  # fmt: skip
    assert records.page(EVERYTHING, after=second[0].record_id, most=3) == first
    assert records.page(EVERYTHING, after=third[0].record_id, most=3) == second


_VALUES = st.sampled_from(["a", "b"])
_RECORDS = st.builds(
    RequestRecord,
    request_id=st.sampled_from(["r1", "r2", "r3"]),
    at=st.integers(0, 5).map(lambda hours: NOW + hours * 3600.0),
    seconds=st.just(1.0),
    status=st.just(200),
    failed=st.booleans(),
    code=st.sampled_from(["", "x"]),
    model=_VALUES,
    key_id=_VALUES,
    account_id=_VALUES,
)
_FILTERS = st.builds(
    RequestFilter,
    failed=st.none() | st.booleans(),
    code=st.sampled_from(["", "", "x"]),
    model=st.sampled_from(["", "", "a"]),
    key_id=st.sampled_from(["", "", "b"]),
    account_id=st.sampled_from(["", "", "a"]),
    since=st.none() | st.integers(-1, 6).map(lambda hours: NOW + hours * 3600.0),
    until=st.none() | st.integers(-1, 6).map(lambda hours: NOW + hours * 3600.0),
    request_id=st.sampled_from(["", "", "", "r1"]),
)


def fits(one: RequestRecord, filter: RequestFilter) -> bool:
    texts = ("code", "model", "key_id", "account_id", "request_id")
    return (
        all(getattr(filter, name) in ("", getattr(one, name)) for name in texts)
        and filter.failed in (None, one.failed)
        and (filter.since is None or one.at >= filter.since)
        and (filter.until is None or one.at < filter.until)
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(
    st.lists(_RECORDS, max_size=12), st.lists(_FILTERS, min_size=1, max_size=4), st.integers(1, 4)
)
def test_every_filter_finds_what_fits_page_by_page(
    records: RequestRecords,
    store: Store,
    written: list[RequestRecord],
    filters: list[RequestFilter],
    most: int,
) -> None:
    store.database.write(lambda connection: connection.execute(desk_tables.requests.delete()))
    written = sorted(written, key=lambda one: one.at)
    records.add(written)
    for filter in filters:
        fitting = [one for one in reversed(written) if fits(one, filter)]
        seen: list[RequestRecord] = []
        while page := records.page(filter, before=seen[-1].record_id if seen else None, most=most):
            assert len(page) <= most
            seen += page
        assert [replace(one, record_id=0) for one in seen] == fitting
        assert records.count(filter) == len(fitting)
        assert records.count(filter, 2) == min(2, len(fitting))
        if seen:
            back = records.page(filter, after=seen[-1].record_id, most=100)
            assert back == seen[:-1]


def test_times_are_exact_where_records_are_out_of_order(records: RequestRecords) -> None:
    """A long request is written after many shorter ones that came later."""
    records.add([record("short", at=NOW + 3000), record("next", at=NOW + 3500)])
    records.add([record("long", at=NOW)])
    assert names(records.page(RequestFilter(since=NOW + 3000))) == ["next", "short"]
    assert names(records.page(RequestFilter(until=NOW + 3200))) == ["long", "short"]


def test_names_for_menus(records: RequestRecords, store: Store) -> None:
    hour = int(NOW // 3600)
    cells = [("code", hour, "b", 1), ("code", hour, "a", 2), ("code", hour - 9, "old", 9),
             ("model", hour, "gpt-5", 3), ("model", hour, "", 3), ("key", hour, "k", 3)]  # fmt: skip
    values = [
        dict(zip(("dimension", "hour", "value", "requests"), cell, strict=True)) for cell in cells
    ]
    store.database.write(
        lambda connection: connection.execute(insert(desk_tables.usage_hours), values)
    )
    assert records.codes(NOW) == ["a", "b"]
    assert records.models(NOW) == ["gpt-5"]


def test_the_last_hour(records: RequestRecords, now: Clock) -> None:
    records.add([record(str(age), at=NOW - age) for age in (7000, 3601, 3600, 10, 0)])
    assert records.lately() == 3
    assert records.lately(most=2) == 2


def test_old_ones_are_forgotten(records: RequestRecords, now: Clock) -> None:
    records.add([record(str(age), at=NOW - age * 86_400.0) for age in range(5, 0, -1)])
    assert records.prune(3.5, 1000) == 2
    assert names(records.page(EVERYTHING)) == ["1", "2", "3"]


def test_those_above_the_number_are_forgotten(records: RequestRecords) -> None:
    for start in (0, 600):
        records.add([record(str(start + number)) for number in range(600)])
    assert records.prune(14, 50) == 1150
    assert len(records.page(EVERYTHING, most=100)) == 50
