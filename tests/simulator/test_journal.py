"""Records and counters."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.journal import Journal, Record


@pytest.fixture
def journal(now: list[float]) -> Journal:
    return Journal(lambda: now[0])


def opened(journal: Journal, endpoint: str = "home") -> Record:
    fields: dict[str, Any] = {
        "method": "GET",
        "path": "/",
        "query": "",
        "headers": {},
        "body": None,
    }
    return journal.open(endpoint, **fields)


def test_a_call_from_beginning_to_end(journal: Journal, now: list[float]) -> None:
    record = opened(journal)
    assert journal.counters == {"calls.home": 1, "active": 1}
    now[0] += 2
    record.completed = True
    journal.close(record)
    assert (record.finished_at, record.aborted_at) == (now[0], None)
    assert journal.counters == {"calls.home": 1, "active": 0, "completed": 1, "aborted": 0}


def test_an_aborted_call_knows_when(journal: Journal, now: list[float]) -> None:
    record = opened(journal)
    record.aborted = True
    journal.close(record)
    assert record.aborted_at == now[0]
    assert journal.counters["aborted"] == 1


def test_records_are_found_by_endpoint_and_age(journal: Journal) -> None:
    ids = [opened(journal, name).id for name in ("home", "models", "home")]
    assert [one["id"] for one in journal.records(endpoint=None, since=ids[0])] == ids[1:]
    assert [one["id"] for one in journal.records(endpoint="home", since=0)] == [ids[0], ids[2]]


def test_clearing_keeps_count_of_what_still_runs(journal: Journal) -> None:
    opened(journal)
    journal.count("refused.model")
    journal.clear()
    assert journal.records(endpoint=None, since=0) == []
    assert journal.counters == {"active": 1}
