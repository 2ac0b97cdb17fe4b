"""When there is nobody: who could serve later, and when (A03, A11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from chat2api.errors import NoAccountAvailable, PoolExhausted
from chat2api.pool.values import Need
from chat2api.store import tables
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.store.refusing import refusal

from .handed import NEED, NOW, handed


@pytest.fixture
def ids(intake: Intake) -> list[str]:
    return [one.account_id for one in intake.add([handed(name) for name in "ab"], "test")]


def set_row(store: Store, account_id: str, **values: Any) -> None:
    row = update(tables.accounts).where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(row.values(values)))


def cool(store: Store, account_id: str, seconds: float) -> None:
    until = NOW + seconds
    set_row(store, account_id, cooling_until=until, wake_at=until, selectable=False)


def limit(store: Store, account_id: str, seconds: float, model: str = NEED.model) -> None:
    row = {"account_id": account_id, "limit_key": model, "until": NOW + seconds}
    store.database.write(lambda c: c.execute(tables.account_limits.insert(), row))


def told(store: Store, need: Need = NEED, at: float = NOW) -> tuple[type, float | None] | None:
    error = store.database.read(lambda connection: refusal(connection, need, at))
    return None if error is None else (type(error), error.retry_after)


def test_somebody_is_free_or_only_busy(store: Store, ids: list[str]) -> None:
    assert told(store) is None
    set_row(store, ids[0], running=10)
    cool(store, ids[1], 60)
    assert told(store) is None
    assert told(store, replace(NEED, excluded=frozenset(ids[:1]))) == (PoolExhausted, 60.0)


def test_the_true_wait(store: Store, ids: list[str]) -> None:
    """A11: the later of an account's cooling and its model's limit, the earliest of all accounts."""
    cool(store, ids[0], 60)
    limit(store, ids[0], 90)
    limit(store, ids[1], 120)
    limit(store, ids[1], 5, "other")
    assert told(store) == (PoolExhausted, 90.0)
    assert told(store, replace(NEED, only=ids[1])) == (PoolExhausted, 120.0)
    assert told(store, replace(NEED, model="other")) == (PoolExhausted, 5.0)
    assert told(store, replace(NEED, model="third")) is None
    assert told(store, at=NOW + 89.5) == (PoolExhausted, 1.0)
    assert told(store, at=NOW + 90) is None  # nobody has woken it yet, and it is no more resting


@pytest.mark.parametrize(
    "unfit", [{"needs_login": True}, {"paused": True}, {"pooled": False}, {"removed_at": NOW}]
)
def test_those_who_cannot_serve_are_not_waited_for(
    store: Store, ids: list[str], unfit: dict[str, Any]
) -> None:
    """A27."""
    for one in ids:
        cool(store, one, 60)
        set_row(store, one, wake_at=None, **unfit)
    assert told(store) == (NoAccountAvailable, None)


def test_what_is_said_when_those_that_were_tried_are_limited(store: Store, ids: list[str]) -> None:
    limit(store, ids[0], 90)
    limit(store, ids[1], 60)
    assert told(store, replace(NEED, excluded=frozenset(ids))) == (PoolExhausted, 60.0)


def test_there_is_just_no_other(store: Store, ids: list[str]) -> None:
    limit(store, ids[0], 90)
    assert told(store, replace(NEED, excluded=frozenset(ids))) == (NoAccountAvailable, None)


def test_an_empty_pool_and_one_in_need_of_logins_read_differently(
    store: Store, intake: Intake
) -> None:
    def message() -> str:
        error = store.database.read(lambda connection: refusal(connection, NEED, NOW))
        assert error is not None
        return error.message

    assert message() == "No account is available for this request."
    (one,) = intake.add([handed("a")], "test")
    set_row(store, one.account_id, needs_login=True, selectable=False)
    assert message() == "No account can be used: all need a new login, or are paused."
