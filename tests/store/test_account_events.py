"""What happened to accounts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from chat2api.secret import Secret
from chat2api.store import account_events, desk_tables
from chat2api.store.account_events import AccountEvent, AccountEvents
from chat2api.store.opening import Store

from .handed import NOW, Clock


@pytest.fixture
def events(store: Store) -> AccountEvents:
    return AccountEvents(store)


def test_a_history_tells_who_when_and_why(events: AccountEvents) -> None:
    events.note(["a", "b"], "paused", "session 1", {"note": "holiday", "until": 7.5, "was": None})
    events.note(["a"], "limited", request_id="req_1")
    assert events.of("a") == [
        AccountEvent(3, "a", NOW, "limited", "", "req_1"),
        AccountEvent(1, "a", NOW, "paused", "session 1", "", {"note": "holiday", "until": 7.5, "was": None}),
    ]  # fmt: skip
    assert [one.kind for one in events.of("b")] == ["paused"]


def test_the_newest_come_first_page_by_page(events: AccountEvents) -> None:
    events.add([AccountEvent(0, "a", NOW + number, "checked") for number in range(1200)])
    first = events.of("a", most=2)
    second = events.of("a", most=2, before=first[-1].event_id)
    assert [one.at - NOW for one in (*first, *second)] == [1199, 1198, 1197, 1196]
    assert len(events.of("a", most=10_000)) == 500
    assert len(events.of("a", most=0)) == 1


def test_secrets_are_hidden_and_texts_cut(events: AccountEvents) -> None:
    detail = {"why": "sk-planted-1 " + "x" * 900, "sk-planted-2": Secret("planted-3"), "o": [1]}
    events.note(["a"], "check_failed", "sk-planted-4", detail)
    (event,) = events.of("a")
    assert "planted" not in repr(event)
    assert len(event.detail["why"]) == 300


def test_too_much_detail_is_left_out(events: AccountEvents) -> None:
    events.note(["a"], "described", "", {f"field {number}": "x" * 300 for number in range(50)})
    assert events.of("a")[0].detail == {}


@pytest.mark.parametrize("damaged", ["", "{", "[1]", "null"])
def test_a_damaged_event_is_shown_without_its_detail(
    events: AccountEvents, store: Store, damaged: str
) -> None:
    events.note(["a"], "added", detail={"x": 1})
    change = update(desk_tables.account_events).values(detail=damaged)
    store.database.write(lambda connection: connection.execute(change))
    assert [one.detail for one in events.of("a")] == [{}]


def test_old_events_are_forgotten(events: AccountEvents, now: Clock) -> None:
    ages = [40, 31, 29, 0]
    events.add([AccountEvent(0, "a", NOW - age * 86_400.0, "checked") for age in ages])
    assert events.prune(30) == 2
    assert [round((NOW - one.at) / 86_400) for one in events.of("a")] == [0, 29]


def test_many_go_in_small_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_events, "_DELETED_AT_ONCE", 2)
    pauses: list[float] = []
    events = AccountEvents(store, pauses.append)
    events.note(["a", "b", "a", "c", "a"], "checked")
    pauses.clear()
    assert events.forget(["a", "b"]) == 4
    assert len(pauses) == 2
    assert [len(events.of(one)) for one in "abc"] == [0, 0, 1]


def test_while_the_store_is_away_the_log_has_it(
    key_store: Any, outage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    events = AccountEvents(key_store)
    outage.is_away = True
    events.note(["a"], "paused", "session 1")
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert (told.__dict__["kind"], told.__dict__["accounts"]) == ("paused", ["a"])
    outage.is_away = False
    assert events.of("a") == []
