"""Sessions: a random ticket, and everything else on the server (H04, H06)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.store.sessions import Session, Sessions

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def sessions(key_store: Any) -> Sessions:
    return Sessions(key_store)


def test_a_session_is_found_by_its_ticket(sessions: Sessions, key_store: Any) -> None:
    begun, ticket = sessions.begin("hash-of-it", "203.0.113.9", subject="operator")
    now = key_store.now()
    assert begun == Session(
        session_id=key_store.vault.hash(ticket.reveal())[:12],
        subject="operator",
        csrf=begun.csrf,
        secret_hash="hash-of-it",
        address="203.0.113.9",
        created_at=now,
        seen_at=now,
        expires_at=now + 7 * DAY,
    )
    assert sessions.find(ticket) == begun
    assert (len(ticket.reveal()), len(begun.csrf)) == (43, 43)
    assert begun.csrf not in repr(begun)
    for wrong in ("", "x" * 43, ticket.reveal()[:-1], "x" * 100_000, begun.session_id):
        assert sessions.find(Secret(wrong)) is None


def test_the_ticket_itself_is_not_stored(sessions: Sessions, tmp_path: Path) -> None:
    _, ticket = sessions.begin("hash", "")
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert ticket.reveal().encode() not in kept


def test_a_session_sleeps_in_after_twelve_hours(sessions: Sessions, key_store: Any) -> None:
    _, ticket = sessions.begin("hash", "")
    for _ in range(3):
        key_store.clock.at += 12 * HOUR - 1
        assert sessions.find(ticket) is not None
    key_store.clock.at += 12 * HOUR
    assert sessions.find(ticket) is None


def test_a_session_ends_after_seven_days_in_any_case(sessions: Sessions, key_store: Any) -> None:
    _, ticket = sessions.begin("hash", "")
    for _ in range(14):
        assert sessions.find(ticket) is not None
        key_store.clock.at += 12 * HOUR - 1
    key_store.clock.at += 14
    assert sessions.find(ticket) is None


def test_being_seen_is_not_written_every_time(
    sessions: Sessions, key_store: Any, outage: Any
) -> None:
    _, ticket = sessions.begin("hash", "")
    began = key_store.now()
    key_store.clock.at += 59
    sessions.find(ticket)
    (kept,) = sessions.list()
    assert kept.seen_at == began
    key_store.clock.at += 1
    sessions.find(ticket)
    (kept,) = sessions.list()
    assert kept.seen_at == key_store.now()


def test_a_login_ends_the_ticket_of_before(sessions: Sessions) -> None:
    _, planted = sessions.begin("hash", "")
    _, ticket = sessions.begin("hash", "", replacing=planted)
    assert sessions.find(planted) is None
    assert sessions.find(ticket) is not None


def test_ending(sessions: Sessions) -> None:
    tickets = [sessions.begin("hash", "")[1] for _ in range(4)]
    assert (sessions.end(tickets[0]), sessions.end(tickets[0])) == (True, False)
    assert sessions.end_others(tickets[1]) == 2
    assert [sessions.find(ticket) is not None for ticket in tickets] == [False, True, False, False]
    assert sessions.end_all() == 1
    assert sessions.list() == ()


def test_ending_one_by_its_id(sessions: Sessions, key_store: Any) -> None:
    (one, ticket), (two, other) = (sessions.begin("hash", "") for _ in range(2))
    assert not sessions.end_one("")
    assert not sessions.end_one("%")
    assert not Sessions(key_store, "mirror").end_one(one.session_id)
    assert (sessions.end_one(one.session_id), sessions.end_one(one.session_id)) == (True, False)
    assert sessions.find(ticket) is None
    assert sessions.find(other) == two


def test_kinds_are_apart(sessions: Sessions, key_store: Any) -> None:
    others = Sessions(key_store, "mirror", idle_seconds=30 * DAY, lasts_seconds=300 * DAY)
    _, ticket = others.begin("hash", "")
    _, admin = sessions.begin("hash", "")
    assert sessions.find(ticket) is None
    assert (others.end(admin), sessions.end_all()) == (False, 1)
    key_store.clock.at += 29 * DAY
    assert others.find(ticket) is not None


def test_what_is_over_is_swept_away(sessions: Sessions, key_store: Any) -> None:
    sessions.begin("hash", "")
    key_store.clock.at += 12 * HOUR
    begun, _ = sessions.begin("hash", "")
    assert (sessions.list(), sessions.end_all()) == ((begun,), 1)


def test_while_the_store_is_away_nobody_is_signed_in_or_out(
    sessions: Sessions, outage: Any
) -> None:
    _, ticket = sessions.begin("hash", "")
    outage.is_away = True
    with pytest.raises(StorageUnavailable):
        sessions.find(ticket)
    with pytest.raises(StorageUnavailable):
        sessions.begin("hash", "")


def test_one_key_signs_in_so_often_at_once(key_store: Any) -> None:
    keys = Sessions(key_store, "key")
    _, other = keys.begin("hash", "", subject="key_b")
    tickets = []
    for _ in range(52):
        key_store.clock.at += 1
        tickets.append(keys.begin("hash", "", subject="key_a")[1])
    assert [keys.find(ticket) is None for ticket in tickets] == [True] * 2 + [False] * 50
    assert keys.find(other) is not None
