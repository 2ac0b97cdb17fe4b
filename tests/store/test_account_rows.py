"""From rows to accounts, for turns and for people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.pool.values import Account, AccountRow, Credential, Look, NewAccount, Renewal
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.account_rows import DAMAGED, look_of, look_text, open_or_log, selectable
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import DAY, NOW, access, change, handed, refresh


@given(st.builds(Look, st.text(), st.text()))
def test_looks_are_kept(look: Look) -> None:
    assert look_of(look_text(look)) == look


@pytest.mark.parametrize("text", ["", "{", "null", "[1]", '"x"', "{}", '{"user_agent": null}'])
def test_damaged_looks_are_plain(text: str) -> None:
    assert look_of(text) == Look()


FIT = {
    "pooled": True, "paused": False, "removed_at": None, "needs_login": False, "cooling_until": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("standing", "may", "wake_at"),
    [
        ({}, True, None),
        ({"cooling_until": NOW}, True, None),
        ({"cooling_until": NOW + 1}, False, NOW + 1),
        ({"cooling_until": NOW + 1, "paused": True}, False, None),
        ({"pooled": False}, False, None),
        ({"removed_at": NOW}, False, None),
        ({"needs_login": True, "cooling_until": NOW + 1}, False, None),
    ],
)
def test_who_may_be_picked(standing: dict[str, Any], may: bool, wake_at: float | None) -> None:
    assert selectable(FIT | standing, NOW) == {"selectable": may, "wake_at": wake_at}


def test_an_account_for_a_turn(store: Store, intake: Intake) -> None:
    token, proxy = access(), Secret("http://u:p@proxy")
    new = NewAccount(token, refresh(), workspace_id="ws", proxy=proxy, look=Look("agent", "device"))
    (added,) = intake.add([new], "test")
    found = AccountBook(store).account(added.account_id)
    assert found is not None
    assert found.renewal is not None
    credential_id = found.renewal.credential_id
    assert found == Account(
        added.account_id, "chatgpt",
        Credential(added.account_id, token, "ws", Look("agent", "device")), proxy,
        Renewal(credential_id, 1, True, NOW + 10 * DAY, True),
    )  # fmt: skip


def test_a_token_that_has_ended_shows(store: Store, intake: Intake) -> None:
    """With nothing to renew it by: whoever looks sees what the next pick would find."""
    over = handed("ann", ends=NOW - 1)
    added = intake.add([over, handed("bob", ends=NOW - 1, refresh_token=refresh())], "test")
    found = [AccountBook(store).find(one.account_id) for one in added]
    assert [row.state for row in found if row is not None] == ["needs_login", "active"]


def test_an_account_for_people(store: Store, intake: Intake) -> None:
    token = Secret("rt_planted0123456789abcdef0123456789")
    new = replace(handed("ann", refresh_token=token), proxy=Secret("http://u:planted@proxy:1"))
    (added,) = intake.add([new], "upload")
    row = AccountBook(store).find(added.account_id)
    assert row == AccountRow(
        added.account_id, "chatgpt", "web", "active", "ann@example.com", "plus", None, "upload",
        "rt_pla...6789", True, NOW + 10 * DAY, None, "", None, {}, "http://***@proxy:1", "",
        position=1, created_at=NOW, has_refresh_token=True,
    )  # fmt: skip
    assert "planted" not in repr(row)


@pytest.mark.parametrize(
    ("columns", "state", "until"),
    [
        ({"cooling_until": NOW + 9}, "cooling", NOW + 9),
        ({"cooling_until": NOW + 9, "limited": True}, "limited", NOW + 9),
        ({"cooling_until": NOW}, "active", None),
        ({"needs_login": True, "cooling_until": NOW + 9}, "needs_login", None),
        ({"paused": True, "needs_login": True}, "disabled", None),
    ],
)
def test_states(
    store: Store, intake: Intake, columns: dict[str, Any], state: str, until: float | None
) -> None:
    (added,) = intake.add([handed()], "test")
    change(store, tables.accounts, **columns)
    row = AccountBook(store).find(added.account_id)
    assert row is not None
    assert (row.state, row.until) == (state, until)


def test_a_refused_renewal_gives_the_reason(store: Store, intake: Intake) -> None:
    (added,) = intake.add([handed(refresh_token=refresh())], "test")
    hashed = tables.credentials.c.refresh_hash
    change(store, tables.credentials, dead_hash=hashed, refresh_error="invalid_grant",
           refresh_error_at=NOW)  # fmt: skip
    row = AccountBook(store).find(added.account_id)
    assert row is not None
    assert (row.renewable, row.reason, row.reason_at) == (False, "invalid_grant", NOW)


@pytest.mark.parametrize(
    "damage",
    [{"cooling_until": "abc"}, {"cooling_until": b"\x00"}, {"proxy": "damaged"}, {"look": "{"}],
)
def test_a_damaged_row_is_shown_and_the_others_are_listed(
    sqlite_store: Store, damage: dict[str, Any]
) -> None:
    """E14. SQLite's columns hold anything."""
    ids = [one.account_id for one in Intake(sqlite_store).add([handed("a"), handed("b")], "test")]
    ((column, value),) = damage.items()
    sqlite_store.database.write(
        lambda c: c.exec_driver_sql(
            f"UPDATE accounts SET {column} = ? WHERE account_id = ?", (value, ids[0])
        )
    )
    book = AccountBook(sqlite_store)
    first, second = book.everything()
    assert (first.account_id, second.state) == (ids[0], "active")
    assert (first.reason == DAMAGED) is (column == "cooling_until")
    assert book.remove([ids[0]]) == 1
    assert [row.account_id for row in book.page()] == [ids[1]]


def test_what_cannot_be_opened_is_nothing(sqlite_store: Store) -> None:
    assert open_or_log("damaged", sqlite_store.vault) is None
    assert open_or_log(None, sqlite_store.vault) is None
