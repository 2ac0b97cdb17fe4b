"""Accounts as people see and change them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from chat2api.lifetime.breath import BREATH_SECONDS
from chat2api.pool.values import NewAccount, PoolCounts
from chat2api.secret import Secret
from chat2api.store import account_book, tables
from chat2api.store.account_book import KEPT_REMOVED_SECONDS, AccountBook, ExportedAccount
from chat2api.store.account_events import AccountEvents
from chat2api.store.intake import Intake
from chat2api.store.opening import Store

from .handed import (
    DAY,
    NOW,
    Clock,
    account_row,
    by_refresh,
    change,
    credential_row,
    handed,
    refresh,
    rows,
)


@pytest.fixture
def book(store: Store) -> AccountBook:
    return AccountBook(store)


@pytest.fixture
def ids(intake: Intake) -> list[str]:
    return [one.account_id for one in intake.add([handed(name) for name in "abc"], "test")]


def set_row(store: Store, account_id: str, **values: Any) -> None:
    row = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(row.values(values)))


def picking(store: Store, account_id: str) -> tuple[bool, float | None]:
    row = account_row(store, account_id)
    return row["selectable"], row["wake_at"]


# --- looking


def test_counts(store: Store, book: AccountBook, intake: Intake) -> None:
    new = [handed(name) for name in "abcdef"]
    new += [handed("seat", pooled=False), handed("old", ends=NOW + 30), by_refresh()]
    ids = [one.account_id for one in intake.add(new, "test")]
    set_row(store, ids[0], needs_login=True)
    set_row(store, ids[1], cooling_until=NOW + 60)
    set_row(store, ids[2], paused=True)
    set_row(store, ids[3], removed_at=NOW)
    assert book.counts() == PoolCounts(total=7, usable=3, cooling=1, failed=1, paused=1)


def test_an_empty_pool_counts_nothing(book: AccountBook) -> None:
    assert book.counts() == PoolCounts(0, 0, 0, 0, 0)


def test_pages_in_the_order_they_came(store: Store, book: AccountBook, intake: Intake) -> None:
    ids = [one.account_id for one in intake.add([handed(f"u{n}") for n in range(7)], "test")]
    set_row(store, ids[1], needs_login=True)
    set_row(store, ids[2], removed_at=NOW)
    set_row(store, ids[5], needs_login=True)
    expected = [one for one in ids if one != ids[2]]
    found, last = [], -1
    while page := book.page(after_position=last, most=2):
        found += [row.account_id for row in page]
        last = account_row(store, page[-1].account_id)["position"]
    assert found == expected == [row.account_id for row in book.everything()]
    failed = [ids[1], ids[5]]
    assert [row.account_id for row in book.page(which="failed")] == failed
    assert [row.account_id for row in book.everything("failed")] == failed


def test_long_lists_let_others_go_on_and_hold_no_connection(store: Store, intake: Intake) -> None:
    """Opening thousands of tokens takes seconds."""
    held: list[Any] = []
    pool: Any = store.database.engine.pool
    book = AccountBook(store, breathe=lambda seconds: held.append((seconds, pool.checkedout())))
    intake.add([handed(f"u{n}") for n in range(120)], "test")
    assert (len(book.everything()), len(book.export())) == (120, 120)
    assert held == [(BREATH_SECONDS, 0)] * 4


def test_limits_are_shown_while_they_last(
    store: Store, book: AccountBook, ids: list[str], now: Clock
) -> None:
    limits = [
        {"account_id": ids[0], "limit_key": key, "until": until}
        for key, until in (("gpt-5", NOW + 60), ("o3", NOW))
    ]
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), limits))
    row = book.find(ids[0])
    assert row is not None
    assert row.model_limits == {"gpt-5": NOW + 60}
    assert book.find("nobody") is None


def test_the_credential_behind_an_account(book: AccountBook, ids: list[str], store: Store) -> None:
    credential = credential_row(store, ids[0])
    assert book.credential_of(ids[0]) == (credential["credential_id"], 1)
    book.remove(ids[:1])
    assert (book.credential_of(ids[0]), book.account(ids[0])) == (None, None)


def test_an_export_holds_the_tokens(store: Store, book: AccountBook, intake: Intake) -> None:
    new = handed("a", refresh_token=refresh(), id_token=Secret("id"), proxy=Secret("http://p"))
    ids = [one.account_id for one in intake.add([new, handed("b"), handed("c")], "test")]
    set_row(store, ids[1], proxy="damaged")
    book.remove(ids[2:])
    first, second = book.export()
    assert first == ExportedAccount(
        ids[0], "a@example.com", "plus", "web", None, new.access_token, new.refresh_token,
        Secret("id"), Secret("http://p"), None, False,
    )  # fmt: skip
    assert (second.account_id, second.proxy, second.access_token is None) == (ids[1], None, False)
    assert [one.account_id for one in book.export([ids[1], "nobody"])] == [ids[1]]


# --- changing


def test_removing_and_restoring(
    store: Store, book: AccountBook, ids: list[str], now: Clock
) -> None:
    assert [book.remove(ids[:2]), book.remove(ids[:2]), book.remove(["nobody"])] == [2, 0, 0]
    assert [row.account_id for row in book.everything()] == ids[2:]
    assert {row.account_id for row in book.removed()} == set(ids[:2])
    assert picking(store, ids[0]) == (False, None)
    assert [book.restore(ids[:1]), book.restore(ids)] == [1, 1]
    assert picking(store, ids[0]) == (True, None)


def test_removing_all(store: Store, book: AccountBook, ids: list[str]) -> None:
    set_row(store, ids[0], cooling_until=NOW + 60, selectable=False, wake_at=NOW + 60)
    assert [book.remove_all(), book.remove_all()] == [3, 0]
    assert [picking(store, one) for one in ids] == [(False, None)] * 3


def test_what_was_removed_is_forgotten_after_a_day(
    store: Store, book: AccountBook, intake: Intake, now: Clock
) -> None:
    token = refresh()
    new = [handed(f"u{n}") for n in range(600)]
    new += [NewAccount(refresh_token=token, workspace_id=name) for name in ("w1", "w2")]
    ids = [one.account_id for one in intake.add(new, "test")]
    book.remove(ids[:-1])
    now.at += KEPT_REMOVED_SECONDS
    assert book.purge() == 0
    now.at += 1
    assert book.purge() == 601
    # The last two live on one credential.
    assert [row["account_id"] for row in rows(store, tables.accounts)] == ids[-1:]
    assert len(rows(store, tables.credentials)) == len(rows(store, tables.known_tokens)) == 1
    book.remove(ids[-1:])
    now.at += DAY + 1
    assert book.purge() == 1
    assert rows(store, tables.credentials) == rows(store, tables.known_tokens) == []


def test_its_history_goes_with_it(
    store: Store, book: AccountBook, ids: list[str], now: Clock
) -> None:
    events = AccountEvents(store)
    events.note(ids, "checked")
    book.remove(ids[:1])
    now.at += KEPT_REMOVED_SECONDS + 1
    book.purge()
    assert [len(events.of(one)) for one in ids] == [0, 1, 1]
    book.forget(ids[1:2])
    assert [len(events.of(one)) for one in ids] == [0, 0, 1]


def test_many_are_changed_some_at_a_time(
    store: Store, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands in one transaction would keep every other writer, and the whole worker, waiting."""
    monkeypatch.setattr(account_book, "_IDS_AT_ONCE", 2)
    states: list[list[bool]] = []
    book = AccountBook(
        store, lambda seconds: states.append([picking(store, one)[0] for one in ids])
    )
    set_row(store, ids[1], cooling_until=NOW + 60, selectable=False, wake_at=NOW + 60)
    assert book.pause(ids) == 3
    assert states == [[False, False, True], [False, False, False]]
    assert book.resume(ids) == 3
    assert [picking(store, one) for one in ids] == [(True, None), (False, NOW + 60), (True, None)]


def test_pausing_and_resuming_a_cooling_one(
    store: Store, book: AccountBook, ids: list[str], now: Clock
) -> None:
    set_row(store, ids[0], cooling_until=NOW + 60, selectable=False, wake_at=NOW + 60)
    assert [book.pause(ids), book.pause(ids)] == [3, 0]
    assert [picking(store, one) for one in ids] == [(False, None)] * 3
    assert [book.resume(ids), book.resume(ids)] == [3, 0]
    assert [picking(store, one) for one in ids[:2]] == [(False, NOW + 60), (True, None)]


def test_lifting_limits(store: Store, book: AccountBook, ids: list[str]) -> None:
    set_row(store, ids[0], cooling_until=NOW + 60, limited=True, strikes=3, selectable=False)
    set_row(store, ids[1], needs_login=True, cooling_until=NOW + 60, selectable=False)
    limit = {"account_id": ids[0], "limit_key": "gpt-5", "until": NOW + 60}
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), limit))
    assert book.lift(ids[:2]) == 2
    assert [picking(store, one) for one in ids[:2]] == [(True, None), (False, None)]
    assert rows(store, tables.account_limits) == []
    row = account_row(store, ids[0])
    assert (row["limited"], row["strikes"]) == (False, 0)


def test_believing_a_refused_token_once_more(
    store: Store, book: AccountBook, intake: Intake
) -> None:
    ids = [one.account_id for one in intake.add(
        [handed("a", refresh_token=refresh()), handed("b", refresh_token=refresh()), handed("c")],
        "test",
    )]  # fmt: skip
    change(store, tables.credentials, dead_hash=tables.credentials.c.refresh_hash, failures=3,
           refresh_error="x", next_refresh_at=None)  # fmt: skip
    set_row(store, ids[0], needs_login=True, reason="x", selectable=False)
    assert book.try_again(ids) == 2
    assert picking(store, ids[0]) == (True, None)
    for one in ids[:2]:
        found = credential_row(store, one)
        assert [found[name] for name in ("dead_hash", "failures", "next_refresh_at")] == [
            None, 0, NOW,
        ]  # fmt: skip
    assert book.try_again(ids) == 0


def test_describing(store: Store, book: AccountBook, ids: list[str]) -> None:
    assert book.describe(ids[0], {"note": "mine", "proxy": Secret("http://p"), "other": 1})
    row = account_row(store, ids[0])
    assert (row["note"], store.vault.open(row["proxy"])) == ("mine", Secret("http://p"))
    assert book.describe(ids[0], {"proxy": None})
    assert account_row(store, ids[0])["proxy"] is None
    assert book.describe("nobody", {"note": "x"}) is False


def test_some_in_the_order_asked_for(book: AccountBook, ids: list[str]) -> None:
    book.remove(ids[:1])
    found = book.rows_of([ids[2], "nobody", ids[0]])
    assert [row.account_id for row in found] == [ids[2], ids[0]]
    assert book.rows_of([]) == []


def test_forgetting_for_good(store: Store, book: AccountBook, ids: list[str]) -> None:
    book.remove(ids[:1])
    assert book.forget(ids[:2]) == 2
    assert [row["account_id"] for row in rows(store, tables.accounts)] == ids[2:]
    assert len(rows(store, tables.credentials)) == 1
