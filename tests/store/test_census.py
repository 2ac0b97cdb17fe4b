"""How many accounts a request could choose from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from chat2api.pool.values import Need
from chat2api.store import tables
from chat2api.store.census import Census
from chat2api.store.opening import Store
from chat2api.store.request_records import Candidates

from .conftest import account, put_accounts
from .handed import NEED, NOW


class Slow:
    """Looks at the clock, each of which takes a while."""

    def __init__(self) -> None:
        self.now, self.takes = 0.0, 0.0

    def __call__(self) -> float:
        self.now += self.takes
        return self.now


def stand(store: Store, account_id: str, **values: Any) -> None:
    accounts = tables.accounts
    change = update(accounts).where(accounts.c.account_id == account_id).values(**values)
    store.database.write(lambda connection: connection.execute(change))


def limit(store: Store, account_id: str, model: str, until: float) -> None:
    row = {"account_id": account_id, "limit_key": model, "until": until}
    store.database.write(lambda connection: connection.execute(tables.account_limits.insert(), row))


def test_nobody_waits_for_a_database_that_is_known_to_be_away(store: Store, outage: Any) -> None:
    put_accounts(store, [account("a")])
    away = False
    census = Census(store, 3, is_away=lambda: away)
    assert census.of(NEED) is not None
    away = True
    assert census.of(NEED) is None


def test_each_account_is_counted_once(store: Store) -> None:
    put_accounts(store, [account(name) for name in "abcdefghijk"] + [account("other:z")])
    stand(store, "a", paused=True, needs_login=True)
    stand(store, "b", needs_login=True, cooling_until=NOW + 9)
    stand(store, "c", cooling_until=NOW + 9)
    stand(store, "d", running=3)
    stand(store, "e", running=1, concurrency=1)
    stand(store, "f", running=3, concurrency=4)
    stand(store, "g", cooling_until=NOW)  # is over
    stand(store, "h", removed_at=NOW)
    stand(store, "i", pooled=False)
    limit(store, "j", "gpt-5", NOW + 9)
    limit(store, "k", "gpt-5", NOW)
    limit(store, "k", "other", NOW + 9)
    counted = Census(store, most_running=3).of(NEED)
    assert counted == Candidates(
        total=9, ready=3, busy=2, cooling=1, limited=1, needs_login=1, paused=1, excluded=0
    )


def test_one_account_only(store: Store) -> None:
    put_accounts(store, [account("a"), account("b")])
    assert Census(store, 3).of(Need("chatgpt", "gpt-5", only="b")) == Candidates(
        1, 1, 0, 0, 0, 0, 0, 0
    )


def test_nobody(store: Store) -> None:
    assert Census(store, 3).of(NEED) == Candidates(*[0] * 8)


def test_it_is_remembered_for_a_moment(sqlite_store: Store) -> None:
    clock = Slow()
    census = Census(sqlite_store, 3, clock)
    census.of(NEED)
    put_accounts(sqlite_store, [account("a")])
    tried = Need("chatgpt", "gpt-5", frozenset({"x", "y"}))
    known = census.of(tried)
    assert known is not None
    assert (known.total, known.excluded) == (0, 2)
    clock.now = 1.0
    again = census.of(tried)
    assert again is not None
    assert (again.total, again.excluded) == (1, 2)


def test_longer_where_counting_takes_long(sqlite_store: Store) -> None:
    clock = Slow()
    clock.takes = 0.5
    census = Census(sqlite_store, 3, clock)
    census.of(NEED)
    put_accounts(sqlite_store, [account("a")])
    clock.takes, clock.now = 0.0, 20.0
    known = census.of(NEED)
    assert known is not None
    assert known.total == 0
    clock.now = 26.0
    assert census.of(NEED) != known


def test_nobody_can_tell(key_store: Store, outage: Any) -> None:
    outage.is_away = True
    assert Census(key_store, 3).of(NEED) is None
