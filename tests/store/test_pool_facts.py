"""What the overview asks of the pool."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.pool.forecast import Return
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.desk_tables import account_events
from chat2api.store.intake import Intake
from chat2api.store.opening import Store
from chat2api.store.pool_facts import ModelFree, PoolFacts, PoolFactsBook

from .handed import DAY, NOW, handed

Change = dict[str, Any]


def changed(store: Store, account_id: str, **values: Any) -> None:
    update = tables.accounts.update().where(tables.accounts.c.account_id == account_id)
    store.database.write(lambda connection: connection.execute(update.values(values)))


def read(store: Store) -> PoolFacts:
    return PoolFactsBook(store).read(since=NOW - DAY, ends_within=2 * DAY)


def test_an_empty_pool(store: Store) -> None:
    assert read(store) == PoolFacts((), 0, (), 0, 0)


def test_who_tells_who_does_not_and_who_comes_back(store: Store, intake: Intake) -> None:
    names = ["told", "untold", "damaged", "back1", "back2", "later", "paused", "login", "gone"]
    ids = {name: intake.add([handed(name)], "suite")[0].account_id for name in names}
    windows = '{"windows": [{"remaining": 40}, {"remaining": 7}, {"remaining": null}]}'
    changed(store, ids["told"], quota=windows)
    changed(store, ids["damaged"], quota="[1")
    changed(store, ids["back1"], cooling_until=NOW + 600)
    changed(store, ids["back2"], cooling_until=NOW + 605)
    changed(store, ids["later"], cooling_until=NOW + 6000)
    changed(store, ids["paused"], paused=True, cooling_until=NOW + 600)
    changed(store, ids["login"], needs_login=True)
    AccountBook(store).remove([ids["gone"]])
    facts = read(store)
    assert facts.known_left == (7,)
    assert facts.unknown == 2
    assert facts.returns == (Return(NOW + 605, 2), Return(NOW + 6000, 1))


def limit(store: Store, account_id: str, key: str, until: float) -> None:
    row = {"account_id": account_id, "limit_key": key, "until": until}
    store.database.write(
        lambda connection: connection.execute(tables.account_limits.insert().values(row))
    )


def test_who_is_free_for_a_model_and_when_the_next_comes_back(store: Store, intake: Intake) -> None:
    names = ["free", "first", "second", "cooling", "paused", "login", "gone"]
    ids = {name: intake.add([handed(name)], "suite")[0].account_id for name in names}
    limit(store, ids["free"], "auto", NOW - 1)  # is over
    limit(store, ids["free"], "gpt-5-5", NOW + 9)
    for name, seconds in (
        ("first", 300),
        ("second", 100),
        ("paused", 5),
        ("login", 5),
        ("gone", 5),
    ):
        limit(store, ids[name], "auto", NOW + seconds)
    changed(store, ids["second"], cooling_until=NOW + 400)
    changed(store, ids["cooling"], cooling_until=NOW + 500)
    changed(store, ids["paused"], paused=True)
    changed(store, ids["login"], needs_login=True)
    AccountBook(store).remove([ids["gone"]])
    book = PoolFactsBook(store)
    assert book.limited(["auto", "other"]) == {"auto": ModelFree(1, 2, NOW + 300)}
    changed(store, ids["free"], paused=True)
    assert book.limited(["auto"]) == {"auto": ModelFree(0, 1, NOW + 300)}
    assert book.limited([]) == {}


@pytest.mark.parametrize(
    ("ends", "renewable", "count"), [(1, False, 1), (1, True, 0), (3, False, 0)]
)
def test_what_ends_soon(
    store: Store, intake: Intake, ends: float, renewable: bool, count: int
) -> None:
    from .handed import refresh

    more = {"refresh_token": refresh()} if renewable else {}
    intake.add([handed("ann", ends=NOW + ends * DAY, **more)], "suite")
    assert read(store).ending == count


def test_limits_met_lately(store: Store) -> None:
    rows = [
        {"account_id": "a", "at": NOW - 10, "kind": "limited"},
        {"account_id": "a", "at": NOW - 2 * DAY, "kind": "limited"},
        {"account_id": "a", "at": NOW - 10, "kind": "checked"},
    ]
    store.database.write(lambda connection: connection.execute(account_events.insert(), rows))
    assert read(store).limits_met == 1
