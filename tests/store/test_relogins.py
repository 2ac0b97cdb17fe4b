"""Who wants a login, and whose one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.intake import Intake
from chat2api.store.relogins import Relogins

from .handed import DAY, NOW, access, handed, refresh


@pytest.fixture
def relogins(store: Any) -> Relogins:
    return Relogins(store)


@pytest.fixture
def add(intake: Intake) -> Any:
    """add("ann", refused="why", ...): an account with both tokens; its id."""

    def one(user: str = "ann", **more: Any) -> str:
        new = handed(user, **{"refresh_token": refresh(), **more})
        return intake.add([new], "test")[0].account_id

    return one


def change(store: Any, account_id: str, **values: Any) -> None:
    statement = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(statement.values(**values)))


def kill(store: Any, account_id: str, reason: str = "invalid_grant") -> None:
    """Its renewal is refused; its access token lives on."""
    mine = select(tables.accounts.c.credential_id).where(tables.accounts.c.account_id == account_id)
    statement = (
        update(tables.credentials)
        .where(tables.credentials.c.credential_id == mine.scalar_subquery())
        .values(dead_hash=tables.credentials.c.refresh_hash, refresh_error=reason)
    )
    store.database.write(lambda connection: connection.execute(statement))


# --- who wants one


def test_exactly_those_that_need_it_the_soonest_first(
    relogins: Relogins, store: Any, add: Any
) -> None:
    add("well")
    add("ends-later", refresh_token=None)
    broken = add("broken", ends=NOW + 3 * DAY)
    kill(store, broken)
    ends = add("ends-soon", ends=NOW + DAY, refresh_token=None)
    over = add("over", ends=NOW - 9, refresh_token=None)
    lost = add("lost")
    change(store, lost, needs_login=True, reason="signed out")
    paused = add("paused", ends=NOW - 9, refresh_token=None)
    change(store, paused, paused=True)
    gone = add("gone", ends=NOW - 9, refresh_token=None)
    AccountBook(store).remove([gone])
    found = [one.account.account_id for one in relogins.page()]
    assert found == [lost, over, ends, broken]
    assert relogins.count() == 4


def test_page_by_page(relogins: Relogins, store: Any, add: Any) -> None:
    ids = [add(f"user-{number}") for number in range(5)]
    for account_id in ids:
        change(store, account_id, needs_login=True)
    seen: list[str] = []
    after = None
    while some := relogins.page(after=after, most=2):
        seen += [one.account.account_id for one in some]
        after = some[-1].key
    assert seen == sorted(ids)


def test_the_reason_is_told(relogins: Relogins, store: Any, add: Any) -> None:
    kill(store, add("broken", ends=NOW + DAY), "refresh_token_reused")
    (found,) = relogins.page()
    assert (found.account.reason, found.account.expires_at) == (
        "refresh_token_reused",
        NOW + DAY,
    )


# --- whose one is


def login_of(user: str, workspace: str = "") -> NewAccount:
    return NewAccount(access(user, workspace), refresh(), kind="codex")


def test_the_same_person(relogins: Relogins, add: Any) -> None:
    match = relogins.match(add("ann"), login_of("ann"))
    assert (match.verdict, match.workspace_id) == ("same", None)
    named = add("bob", workspace_id="ws-team")
    match = relogins.match(named, login_of("bob", "ws-home"))
    assert (match.verdict, match.workspace_id) == ("same", "ws-team")


def test_somebody_else(relogins: Relogins, store: Any, add: Any) -> None:
    ann = add("ann")
    before = AccountBook(store).find(ann)
    assert relogins.match(ann, login_of("bob")).verdict == "other_account"
    assert relogins.match(ann, login_of("ann", "ws-other")).verdict == "other_workspace"
    assert relogins.match(ann, NewAccount(Secret("opaque-token-1"))).verdict == "unnamed"
    assert relogins.match("acc_none", login_of("ann")).verdict == "gone"
    assert AccountBook(store).find(ann) == before
    AccountBook(store).remove([ann])
    assert relogins.match(ann, login_of("ann")).verdict == "gone"


def test_an_account_known_by_its_token_is_given_its_name(
    relogins: Relogins, intake: Intake, add: Any
) -> None:
    def bare(**more: Any) -> str:
        return intake.add([NewAccount(refresh_token=refresh(), **more)], "test")[0].account_id

    account = bare(email="ANN@example.com")
    new = login_of("ann")
    assert relogins.match(account, login_of("bob")).verdict == "other_account"
    assert relogins.match(account, new).verdict == "same"
    added = intake.add([new], "login")
    assert [(one.verdict, one.account_id) for one in added] == [("updated", account)]
    add("zoe")
    assert relogins.match(bare(), login_of("zoe")).verdict == "taken"


# --- what it heals


def test_workspaces_on_the_same_tokens_are_healed_together(
    relogins: Relogins, intake: Intake, store: Any
) -> None:
    token = refresh()
    home = NewAccount(refresh_token=token, email="ann@example.com")
    ids = [
        one.account_id for one in intake.add([home, replace(home, workspace_id="ws-team")], "test")
    ]
    for account_id in ids:
        change(store, account_id, needs_login=True, reason="over", selectable=False)
    relogins.revive_siblings(ids[0])
    rows = store.database.read(
        lambda connection: connection.execute(
            select(tables.accounts.c.needs_login, tables.accounts.c.selectable)
        ).all()
    )
    assert [tuple(row) for row in rows] == [(False, True), (False, True)]
    relogins.revive_siblings("acc_none")
