"""An account that turned out to be a known one: nothing that belongs to either is lost."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from chat2api.lifetime.call import Call
from chat2api.pool.values import Added, Grant, NewAccount, RenewalClaim
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.arrivals import CONFIG_SOURCE, ArrivalBook
from chat2api.store.conversations import ConversationBook
from chat2api.store.credentials import Credentials
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

from .handed import (
    DAY,
    NEED,
    NOW,
    Clock,
    access,
    account_row,
    by_refresh,
    credential_row,
    handed,
    refresh,
    rows,
)


def set_row(store: Store, account_id: str, **values: Any) -> None:
    row = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(row.values(values)))


def renewed(store: Store, account_id: str, user: str = "ann", **more: Any) -> Grant:
    """The account's first exchange, which tells who it is."""
    credentials = Credentials(store, "w")
    claim = credentials.claim(credential_row(store, account_id)["credential_id"], 0)
    assert isinstance(claim, RenewalClaim)
    given = Grant(access(user, **more), refresh(), None, NOW + 10 * DAY)
    credentials.save(claim, given)
    return given


def test_an_unknown_person_is_named(store: Store, intake: Intake) -> None:
    (added,) = intake.add([by_refresh()], "test")
    renewed(store, added.account_id)
    row = account_row(store, added.account_id)
    assert (row["label"], row["plan"], row["user_id"]) == ("ann@example.com", "plus", "user-ann")
    assert intake.add([handed("ann", ends=NOW + DAY)], "test") == [
        Added("unchanged", added.account_id)
    ]


def test_a_known_person_takes_over_what_belongs_to_the_dropped_row(
    store: Store, intake: Intake
) -> None:
    first = refresh()
    known, bare = (one.account_id for one in intake.add(
        [handed("ann", refresh_token=first), NewAccount(refresh_token=refresh(), note="n")], "t"
    ))  # fmt: skip
    set_row(store, known, needs_login=True, reason="x", selectable=False)
    limits = [
        {"account_id": account, "limit_key": key, "until": until}
        for account, key, until in (
            (known, "both", NOW + 9), (bare, "both", NOW + 5), (bare, "o3", NOW + 7),
            (known, "less", NOW + 1), (bare, "less", NOW + 2),
        )
    ]  # fmt: skip
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), limits))
    ConversationBook(store).note("conversation", bare)
    ArrivalBook(store).add_seed(Secret("seed"), None, bare, "u", ["c"], "test")
    given = renewed(store, bare)
    (row,) = rows(store, tables.accounts)
    assert {name: row[name] for name in ("account_id", "needs_login", "reason", "selectable", "note")} == {
        "account_id": known, "needs_login": False, "reason": "", "selectable": True, "note": "n",
    }  # fmt: skip
    (credential,) = rows(store, tables.credentials)
    assert store.vault.open(credential["access_token"]) == given.access_token
    assert [(one["limit_key"], one["until"]) for one in rows(store, tables.account_limits)] == [
        ("both", NOW + 9), ("less", NOW + 2), ("o3", NOW + 7),
    ]  # fmt: skip
    for table in (tables.conversations, tables.seeds, tables.seed_conversations):
        assert [one["account_id"] for one in rows(store, table)] == [known]
    # Its spent token is still known: handed in again it must not be tried.
    assert intake.add([NewAccount(refresh_token=first)], "t") == [Added("unchanged", known)]


def test_standing_is_kept_where_it_is_not_about_the_token(store: Store, intake: Intake) -> None:
    known, bare = (one.account_id for one in intake.add([handed("ann"), by_refresh()], "t"))
    AccountBook(store).pause([known])
    set_row(store, known, cooling_until=NOW + 60, limited=True, reason="limit")
    renewed(store, bare)
    row = account_row(store, known)
    assert [row[name] for name in ("paused", "cooling_until", "selectable", "wake_at")] == [
        True, NOW + 60, False, None,
    ]  # fmt: skip
    AccountBook(store).resume([known])
    row = account_row(store, known)
    assert (row["selectable"], row["wake_at"]) == (False, NOW + 60)


def test_a_rest_that_the_upstream_asked_for_goes_on(store: Store, intake: Intake) -> None:
    """A05: a scheduled renewal in between does not end it."""
    (added,) = intake.add([handed("ann", refresh_token=refresh())], "t")
    credentials = Credentials(store, "w")
    claim = credentials.claim(credential_row(store, added.account_id)["credential_id"], 1)
    assert isinstance(claim, RenewalClaim)
    set_row(store, added.account_id, cooling_until=NOW + 600, reason="upstream_access_denied",
            selectable=False, wake_at=NOW + 600)  # fmt: skip
    credentials.save(claim, Grant(access("ann"), refresh(), None, NOW + 10 * DAY))
    row = account_row(store, added.account_id)
    assert [row[name] for name in ("cooling_until", "reason", "selectable", "wake_at")] == [
        NOW + 600, "upstream_access_denied", False, NOW + 600,
    ]  # fmt: skip


def test_one_of_the_configuration_stays_its(store: Store, intake: Intake) -> None:
    known, bare = (one.account_id for one in intake.add([handed("ann"), by_refresh()], "t"))
    book = ArrivalBook(store)
    book.list_as({"entry": bare})
    renewed(store, bare)
    assert book.listed() == {"entry": known}
    assert account_row(store, known)["source"] == CONFIG_SOURCE


def test_a_turn_that_runs_gives_its_slot_back(store: Store, intake: Intake, now: Clock) -> None:
    known, bare = (one.account_id for one in intake.add([handed("ann"), by_refresh()], "t"))
    pool = SqlPool(store, Workers(store), PickOptions(), PoolLimits(), clock=now)
    with pool.lease(replace(NEED, only=bare), Call(float("inf"))):
        renewed(store, bare)
        assert account_row(store, known)["running"] == 1
    assert account_row(store, known)["running"] == 0
    assert rows(store, tables.leases) == []


def test_two_that_turn_out_to_be_the_same_at_the_same_moment(store: Store, intake: Intake) -> None:
    """Neither's new tokens may be lost to the race."""
    ids = [one.account_id for one in intake.add([by_refresh() for _ in range(4)], "t")]
    given: list[Grant] = []
    threads = [
        threading.Thread(target=lambda one=one: given.append(renewed(store, one))) for one in ids
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(given) == 4
    (row,) = rows(store, tables.accounts)
    (credential,) = rows(store, tables.credentials)
    assert row["credential_id"] == credential["credential_id"]
    assert store.vault.open(credential["refresh_token"]) in [one.refresh_token for one in given]
    assert len(rows(store, tables.known_tokens)) == 8


def test_accounts_on_one_credential_are_all_told(store: Store, intake: Intake) -> None:
    token = refresh()
    ids = [one.account_id for one in intake.add(
        [NewAccount(refresh_token=token, workspace_id=name) for name in ("w1", "w2")], "t"
    )]  # fmt: skip
    renewed(store, ids[0], workspace="w1")
    found = [account_row(store, one) for one in ids]
    assert [row["identity"].startswith("user:") for row in found] == [True, True]
    assert len({row["credential_id"] for row in found}) == 1
    credentials = Credentials(store, "w")
    claim = credentials.claim(found[0]["credential_id"], 2)
    assert isinstance(claim, RenewalClaim)
    assert credentials.refuse(claim, "invalid_grant", access_refused=True)
    assert [account_row(store, one)["needs_login"] for one in ids] == [True, True]
