"""The next account, by an index; what cannot serve is put aside with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.pool.values import Lease, Need
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_rows import DAMAGED
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.store.picking import Picker, PickOptions
from chat2api.store.vault import Vault

from .handed import (
    DAY,
    KEY,
    NEED,
    NOW,
    account_row,
    by_refresh,
    change,
    handed,
    refresh,
    rows,
    token_of,
)

Pick = Callable[..., Lease | None]


def picker(store: Store, **options: Any) -> Picker:
    return Picker(store.database.engine.dialect, "me", PickOptions(**options), store.vault)


def picked(store: Store, one: Picker, need: Need = NEED, at: float = NOW) -> Lease | None:
    return store.database.write(lambda connection: one.pick(connection, need, at))


def names(store: Store, one: Picker, times: int, need: Need = NEED) -> list[str]:
    found = [picked(store, one, need) for _ in range(times)]
    return [lease.account.account_id for lease in found if lease is not None]


def ids_of(intake: Intake, *new: Any) -> list[str]:
    return [one.account_id for one in intake.add(new, "test")]


def test_a_lease_is_written_down(store: Store, intake: Intake) -> None:
    new = handed("a")
    (account,) = ids_of(intake, new)
    one = picker(store)
    lease = picked(store, one)
    assert lease is not None
    assert new.access_token is not None
    assert token_of(lease.account) == new.access_token.reveal()
    assert rows(store, tables.leases) == [
        {"lease_id": lease.lease_id, "account_id": account, "worker_id": "me", "began_at": NOW}
    ]
    row = account_row(store, account)
    assert (row["running"], row["last_used_at"]) == (1, NOW)
    for _ in range(2):  # the second time there is nothing to give back
        found = store.database.write(lambda c: one.release(c, lease, forgive=True))
        assert (found, account_row(store, account)["running"]) == (account, 0)
    assert rows(store, tables.leases) == []


def test_strictly_in_turn(store: Store, intake: Intake) -> None:
    ids = ids_of(intake, *[handed(name) for name in "abc"])
    assert names(store, picker(store, at_random=False, concurrency=0), 7) == [*ids, *ids, ids[0]]


def test_at_random_all_are_used(store: Store, intake: Intake) -> None:
    ids = ids_of(intake, *[handed(name) for name in "abcd"])
    one = picker(store, concurrency=0)
    counts = Counter(names(store, one, 120))
    assert set(counts) == set(ids)
    assert min(counts.values()) > 5
    assert names(store, one, 8) != names(store, one, 8)


@pytest.mark.parametrize("at_random", [True, False])
def test_slots_are_bounded(store: Store, intake: Intake, at_random: bool) -> None:
    ids = ids_of(intake, handed("a"), handed("b"))
    one = picker(store, at_random=at_random, concurrency=2)
    assert Counter(names(store, one, 6)) == {ids[0]: 2, ids[1]: 2}


@pytest.mark.parametrize("at_random", [True, False])
def test_a_hiccup_makes_second_choice(store: Store, intake: Intake, at_random: bool) -> None:
    ids = ids_of(intake, handed("a"), handed("b"))
    change(store, tables.accounts, resting_until=NOW + 30)
    one = picker(store, at_random=at_random, concurrency=1)
    assert set(names(store, one, 2)) == set(ids)
    store.database.write(
        lambda c: c.exec_driver_sql("UPDATE accounts SET running = 0, resting_until = 0"
                                    f" WHERE account_id = '{ids[1]}'")
    )  # fmt: skip
    change(store, tables.accounts, running=0)
    assert names(store, one, 2) == [ids[1], ids[0]]


def test_only_and_excluded(store: Store, intake: Intake) -> None:
    ids = ids_of(intake, *[handed(name) for name in "abc"])
    one = picker(store, concurrency=0)
    assert names(store, one, 2, replace(NEED, only=ids[1])) == [ids[1]] * 2
    assert names(store, one, 2, replace(NEED, excluded=frozenset(ids[:2]))) == [ids[2]] * 2
    assert picked(store, one, replace(NEED, excluded=frozenset(ids))) is None
    assert picked(store, one, replace(NEED, only=ids[0], excluded=frozenset(ids[:1]))) is None
    assert picked(store, one, replace(NEED, provider="codex")) is None


def test_a_limit_on_a_model_is_looked_up(store: Store, intake: Intake) -> None:
    (account,) = ids_of(intake, handed("a"))
    limit = {"account_id": account, "limit_key": NEED.model, "until": NOW + 60}
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), limit))
    one = picker(store, concurrency=0)
    assert picked(store, one) is None
    assert picked(store, one, replace(NEED, model="gpt-4o")) is not None
    assert picked(store, one, at=NOW + 60) is not None


def test_those_whose_rest_ends_are_woken(store: Store, intake: Intake) -> None:
    ids_of(intake, handed("a"))
    change(store, tables.accounts, selectable=False, wake_at=NOW + 60, cooling_until=NOW + 60)
    one = picker(store)
    for at, found in ((NOW + 59, False), (NOW + 60, True)):
        store.database.write(lambda c, at=at: one.wake(c, at))
        assert (picked(store, one, at=at) is not None) is found


@pytest.mark.parametrize(
    "unfit", [{"paused": True}, {"pooled": False}, {"removed_at": NOW}, {"needs_login": True}]
)
def test_nobody_is_woken_who_may_not_serve(
    store: Store, intake: Intake, unfit: dict[str, Any]
) -> None:
    (account,) = ids_of(intake, handed("a"))
    change(store, tables.accounts, selectable=False, wake_at=NOW, **unfit)
    store.database.write(lambda c: picker(store).wake(c, NOW))
    row = account_row(store, account)
    assert (row["selectable"], row["wake_at"]) == (False, None)


def test_what_has_ended_is_put_aside_and_passed(store: Store, intake: Intake) -> None:
    """C12, A04: what can be renewed is leased, and renewed before anything is sent."""
    ended = ids_of(intake, *[handed(f"old{n}", ends=NOW + 30) for n in range(60)])
    new = handed("renewable", ends=NOW + 30, refresh_token=refresh())
    renewable = ids_of(intake, new, by_refresh())
    one = picker(store, at_random=False, concurrency=1)
    assert picked(store, one) is None  # not all at once
    assert names(store, one, 3) == renewable
    row = account_row(store, ended[0])
    assert [row[name] for name in ("needs_login", "reason", "reason_at", "selectable")] == [
        True, "its access token has ended", NOW, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (tables.credentials, "access_token", "damaged"),
        (tables.credentials, "expires_at", "abc"),
        (tables.accounts, "proxy", "damaged"),
    ],
)
def test_a_damaged_one_is_put_aside_and_the_others_serve(
    sqlite_store: Store, table: Any, column: str, value: str
) -> None:
    """E14."""
    (bad,) = ids_of(Intake(sqlite_store), handed("a"))
    sqlite_store.database.write(
        lambda c: c.exec_driver_sql(f"UPDATE {table.name} SET {column} = ?", (value,))
    )
    (good,) = ids_of(Intake(sqlite_store), handed("b"))
    one = picker(sqlite_store, at_random=False)
    assert names(sqlite_store, one, 3) == [good] * 3
    row = account_row(sqlite_store, bad)
    assert (row["needs_login"], row["reason"]) == (True, DAMAGED)


def test_what_another_server_sealed_with_a_newer_key_is_passed_over(
    store: Store, intake: Intake
) -> None:
    """E12: servers are restarted one after the other; those that still wait must not ruin the pool."""
    newer = replace(
        store, vault=Vault([Secret("a newer key"), KEY], b"pepper of the store's suite")
    )
    ids = ids_of(Intake(newer, breathe=lambda seconds: None), handed("a"), handed("b"))
    before = rows(store, tables.accounts)
    assert picked(store, picker(store)) is None
    assert rows(store, tables.accounts) == before
    (good,) = ids_of(intake, handed("c"))
    assert names(store, picker(store, at_random=False), 3) == [good] * 3
    assert set(names(newer, picker(newer), 30)) <= {*ids, good}
    assert [account_row(store, one)["needs_login"] for one in ids] == [False, False]


def test_a_glance_takes_nothing(store: Store, intake: Intake) -> None:
    one = picker(store, at_random=False)

    def glance(need: Need = NEED) -> str | None:
        found = store.database.read(lambda connection: one.glance(connection, need, NOW))
        return None if found is None else found.account_id

    assert glance() is None
    ids = ids_of(intake, by_refresh(), handed("old", ends=NOW + 30), handed("a"), handed("b"))
    before = rows(store, tables.accounts)
    assert glance() == ids[2]
    assert glance(replace(NEED, excluded=frozenset(ids[2:3]))) == ids[3]
    assert [glance(replace(NEED, only=name)) for name in (ids[3], ids[0])] == [ids[3], None]
    assert rows(store, tables.accounts) == before
    store.database.write(
        lambda c: c.exec_driver_sql("UPDATE credentials SET access_token = 'damaged' WHERE "
            "credential_id = (SELECT credential_id FROM accounts WHERE account_id = "
            f"'{ids[2]}')")
    )  # fmt: skip
    assert glance() == ids[3]


def test_end_of_a_token(store: Store, intake: Intake) -> None:
    ids_of(intake, handed("a", ends=NOW + DAY))
    one = picker(store)
    assert picked(store, one, at=NOW + DAY - 61) is not None
    assert picked(store, one, at=NOW + DAY - 60) is None


def test_an_account_may_have_a_bound_of_its_own(store: Store, intake: Intake) -> None:
    first, second = (one.account_id for one in intake.add([handed("a"), handed("b")], "test"))
    row = update(tables.accounts).where(tables.accounts.c.account_id == first)
    store.database.write(lambda connection: connection.execute(row.values(concurrency=3)))
    one = picker(store, concurrency=1)
    assert Counter(names(store, one, 6)) == {first: 3, second: 1}
