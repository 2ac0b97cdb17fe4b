"""Who changed what (G13)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.audit import Audit, AuditEntry, AuditFilter


@pytest.fixture
def audit(key_store: Any) -> Audit:
    return Audit(key_store)


def test_entries_tell_who_when_where_and_what(audit: Audit, key_store: Any) -> None:
    detail = {"label": "Bob", "limits": {"rpm": 5, "scopes": ["chat"]}, "was": None}
    audit.note("bearer", "203.0.113.9", "create key", "key_1", detail)
    assert audit.recent() == [
        AuditEntry(1, key_store.now(), "bearer", "203.0.113.9", "create key", "key_1", detail)
    ]


def test_the_newest_come_first_page_by_page(audit: Audit) -> None:
    for number in range(5):
        audit.note("cli", "", f"act {number}")
    first = audit.recent(limit=2)
    second = audit.recent(limit=2, before=first[-1].entry_id)
    assert [entry.action for entry in (*first, *second)] == ["act 4", "act 3", "act 2", "act 1"]
    assert len(audit.recent(limit=0)) == 1


def test_secrets_are_hidden_whoever_forgot_to(audit: Audit) -> None:
    audit.note(
        "cli", "", "set", "sk-planted-key-1",
        {"key": Secret("planted-2"), "sk-planted-3": ["eyJhbGciOi.planted-4"],
         "deep": {"proxy": "http://u:planted-5@h"}},
    )  # fmt: skip
    (entry,) = audit.recent()
    assert "planted" not in repr(entry)


def test_long_details_are_shortened(audit: Audit) -> None:
    audit.note("cli", "", "x" * 1000, detail={"text": "y" * 10_000})
    (entry,) = audit.recent()
    assert (len(entry.action), list(entry.detail)) == (500, ["shortened"])


def test_while_the_store_is_away_the_log_has_it(
    audit: Audit, outage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    outage.is_away = True
    audit.note("session 1", "203.0.113.9", "revoke key", "key_1")
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert (told.__dict__["actor"], told.__dict__["target"]) == ("session 1", "key_1")
    outage.is_away = False
    assert audit.recent() == []


@pytest.mark.parametrize("damaged", ["", "{", "[1]", "null"])
def test_a_damaged_entry_is_shown_without_its_detail(
    audit: Audit, key_store: Any, damaged: str
) -> None:
    audit.note("cli", "", "act", detail={"a": 1})
    key_store.database.write(
        lambda connection: connection.execute(update(tables.audit).values(detail=damaged))
    )
    assert [entry.detail for entry in audit.recent()] == [{}]


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ({}, ["d", "c", "b", "a"]),
        ({"action": "create key"}, ["c", "a"]),
        ({"actor": "cli"}, ["b"]),
        ({"actor": "session"}, ["d", "c", "a"]),
        ({"actor": "session one"}, ["d", "a"]),
        ({"actor": "sess"}, []),
        ({"actor": "session on%"}, []),
        ({"target": "b"}, ["b"]),
        ({"since": 1_750_000_010.0}, ["d", "c", "b"]),
        ({"since": 1_750_000_010.0, "until": 1_750_000_030.0}, ["c", "b"]),
        ({"action": "create key", "actor": "session two"}, ["c"]),
        ({"action": "revoke"}, []),
    ],
)
def test_only_what_was_asked_for(
    audit: Audit, key_store: Any, which: dict[str, Any], found: list[str]
) -> None:
    entries = [
        ("session one", "create key"), ("cli", "add"), ("session two", "create key"),
        ("session one", "sign out"),
    ]  # fmt: skip
    for name, (actor, action) in zip("abcd", entries, strict=True):
        audit.note(actor, "", action, name)
        key_store.clock.at += 10
    shown = audit.recent(which=AuditFilter(**which))
    assert [entry.target for entry in shown] == found
    assert AuditFilter(**which).is_empty is (which == {})
    page = audit.recent(1, before=shown[0].entry_id if shown else None, which=AuditFilter(**which))
    assert [entry.target for entry in page] == found[1:2]


def test_the_kinds_of_action_there_are(audit: Audit) -> None:
    for action in ("sign in", "create key", "sign in"):
        audit.note("cli", "", action)
    assert audit.actions() == ["create key", "sign in"]


def test_what_was_done_early(audit: Audit) -> None:
    assert not audit.has_early("sign in")
    audit.note("cli", "", "create key")
    audit.note("session 1", "", "sign in")
    assert audit.has_early("sign in")
    assert not audit.has_early("sign")
