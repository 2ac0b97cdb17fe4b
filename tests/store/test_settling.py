"""What turns say about their accounts, written down (A09 to A12), and the derived columns with it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import Blame, PoolError
from chat2api.lifetime.call import Call
from chat2api.pool.values import Grant, Need, NewAccount, Outcome, RenewalClaim
from chat2api.store import tables
from chat2api.store.account_book import AccountBook
from chat2api.store.account_rows import DAMAGED, selectable
from chat2api.store.credentials import Credentials
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.settling import settle
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

from .handed import DAY, NOW, Clock, Place, access, account_row, handed, refresh, rows

MODEL = "gpt-5"


@pytest.fixture
def account(intake: Intake) -> str:
    (added,) = intake.add([handed("ann")], "test")
    return added.account_id


def settled(
    store: Store, account_id: str, outcome: Outcome, at: float = NOW, **options: Any
) -> dict[str, Any]:
    given = PickOptions(**options)
    store.database.write(lambda c: settle(c, account_id, outcome, at, given))
    return account_row(store, account_id)


def limited(retry_after: float | None, **more: Any) -> Outcome:
    return Outcome(Blame.LIMITED, MODEL, retry_after, reason="rate_limit_exceeded", **more)


def standing(row: dict[str, Any]) -> list[Any]:
    names = ("cooling_until", "limited", "strikes", "needs_login", "selectable", "wake_at")
    return [row[name] for name in names]


def test_a_limit_on_one_model(store: Store, account: str) -> None:
    """A09: the others stay usable, and a restart does not forget it."""
    row = settled(store, account, limited(120.0, per_model=True))
    assert standing(row) == [0.0, False, 0, False, True, None]
    assert row["reason"] == "rate_limit_exceeded"
    settled(store, account, limited(60.0, per_model=True))  # a shorter one does not shorten it
    assert rows(store, tables.account_limits) == [
        {"account_id": account, "limit_key": MODEL, "until": NOW + 120}
    ]
    settled(store, account, limited(10.0, per_model=True), NOW + 120)
    assert rows(store, tables.account_limits)[0]["until"] == NOW + 130


def test_a_limit_on_the_account(store: Store, account: str) -> None:
    assert standing(settled(store, account, limited(60.0))) == [
        NOW + 60, True, 0, False, False, NOW + 60,
    ]  # fmt: skip


def test_guessed_limits_grow_and_never_ask_for_a_login(store: Store, account: str) -> None:
    """A10."""
    at, waits = NOW, []
    for strikes in range(1, 10):
        row = settled(store, account, limited(None), at)
        assert (row["strikes"], row["needs_login"]) == (strikes, False)
        waits.append(row["cooling_until"] - at)
        at = row["cooling_until"]
    least = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert all(
        low - 1e-3 <= wait <= low * 1.25 + 1e-3 for low, wait in zip(least, waits, strict=True)
    )


def test_where_limits_are_switched_off(store: Store, account: str) -> None:
    before = account_row(store, account)
    assert settled(store, account, limited(60.0), enable_limit=False) == before


def test_a_refused_egress_cools(store: Store, account: str) -> None:
    outcome = Outcome(Blame.EGRESS, MODEL, reason="upstream_access_denied")
    row = settled(store, account, outcome, access_denied_seconds=300.0)
    assert standing(row) == [NOW + 300, False, 0, False, False, NOW + 300]


def test_a_needed_login_is_written_down(store: Store, account: str) -> None:
    """A02, with reason and time; the credential is kept."""
    outcome = Outcome(Blame.NEEDS_LOGIN, MODEL, reason="upstream_account_auth_failed")
    row = settled(store, account, outcome)
    assert standing(row) == [0.0, False, 0, True, False, None]
    assert (row["reason"], row["reason_at"]) == ("upstream_account_auth_failed", NOW)
    assert len(rows(store, tables.credentials)) == 1


def test_a_paused_one_is_not_woken_by_its_limit(store: Store, account: str) -> None:
    AccountBook(store).pause([account])
    row = settled(store, account, limited(60.0))
    assert standing(row) == [NOW + 60, True, 0, False, False, None]


def test_nothing_to_say_writes_nothing(store: Store, account: str) -> None:
    before = account_row(store, account)
    assert settled(store, account, Outcome(Blame.NONE, MODEL)) == before
    store.database.write(
        lambda c: settle(c, "nobody", limited(1.0), NOW, PickOptions())
    )  # it is no more


def test_a_damaged_standing_is_put_aside(sqlite_store: Store) -> None:
    """E14: the turn that found it ends well all the same."""
    (added,) = Intake(sqlite_store).add([handed("ann")], "test")
    sqlite_store.database.write(
        lambda c: c.exec_driver_sql("UPDATE accounts SET cooling_until = 'abc'")
    )
    row = settled(sqlite_store, added.account_id, limited(60.0))
    assert (row["needs_login"], row["reason"], row["selectable"]) == (True, DAMAGED, False)


# --- whatever happens, the derived columns follow

Step = Callable[["World"], None]


class World:
    """One account, and everything that may happen to it."""

    def __init__(self, folder: str, template: Path) -> None:
        shutil.copyfile(template, f"{folder}/chat2api.db")
        self.clock = Clock()
        self.store = Place(f"sqlite:///{folder}/chat2api.db", Path(folder)).open(self.clock)
        self.book = AccountBook(self.store)
        self.intake = Intake(self.store)
        self.token = refresh()
        self.known = handed("ann", refresh_token=self.token)
        (added,) = self.intake.add([self.known], "test")
        self.ids = [added.account_id]
        self.pool = SqlPool(
            self.store, Workers(self.store, "w"), PickOptions(concurrency=2), PoolLimits(),
            clock=self.clock,
        )  # fmt: skip
        self.credentials = Credentials(self.store, "w")

    def check(self) -> None:
        for row in rows(self.store, tables.accounts):
            derived = selectable(row, self.clock.at)
            assert row["running"] == 0
            if row["selectable"] == derived["selectable"]:
                assert row["wake_at"] == derived["wake_at"]
            else:  # its rest has ended, and the next pick will wake it
                assert (row["selectable"], derived["selectable"]) == (False, True)
                assert row["wake_at"] is not None
                assert row["wake_at"] <= self.clock.at


def turn(outcome: Outcome) -> Step:
    def step(world: World) -> None:
        try:
            with world.pool.lease(Need("chatgpt", outcome.model), Call(float("inf"))) as lease:
                world.pool.report(lease, outcome)
        except PoolError:
            pass

    return step


def renewal(how: str) -> Step:
    def step(world: World) -> None:
        row = rows(world.store, tables.credentials)[0]
        answer = world.credentials.claim(row["credential_id"], row["version"], forced=True)
        if not isinstance(answer, RenewalClaim):
            return
        ends = world.clock.at + DAY
        if how == "saved":
            world.credentials.save(answer, Grant(access("ann", ends=ends), refresh(), None, ends))
        elif how == "postponed":
            world.credentials.postpone(answer, "timeout")
        else:
            world.credentials.refuse(answer, "invalid_grant", access_refused=how == "refused")

    return step


def later(seconds: float) -> Step:
    def step(world: World) -> None:
        world.clock.at += seconds

    return step


def changed(name: str) -> Step:
    return lambda world: getattr(world.book, name)(world.ids)


def added(**more: Any) -> Step:
    def step(world: World) -> None:
        ends = world.clock.at + 2 * DAY
        world.intake.add([NewAccount(access_token=access("ann", ends=ends), **more)], "test")

    return step


OUTCOMES = [
    Outcome(None, MODEL), Outcome(Blame.TRANSIENT, MODEL, reason="r"),
    Outcome(Blame.EGRESS, MODEL, reason="r"), Outcome(Blame.NEEDS_LOGIN, MODEL, reason="r"),
    Outcome(Blame.LIMITED, MODEL, 90.0, reason="r"), Outcome(Blame.LIMITED, MODEL, reason="r"),
    Outcome(Blame.LIMITED, MODEL, 30.0, per_model=True, reason="r"),
]  # fmt: skip
STEPS = st.one_of(
    st.sampled_from(OUTCOMES).map(turn),
    st.sampled_from(["saved", "postponed", "refused", "ended"]).map(renewal),
    st.sampled_from([1.0, 60.0, 3600.0, 2 * DAY]).map(later),
    st.sampled_from(["pause", "resume", "remove", "restore", "lift", "try_again"]).map(changed),
    st.sampled_from([{}, {"refused": "dead"}]).map(lambda more: added(**more)),
)


@given(st.lists(STEPS, max_size=12))
def test_who_may_be_picked_follows_from_the_standing(
    sqlite_template: Path, steps: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder, sqlite_template)
        for step in steps:
            step(world)
            world.check()
        world.store.close()
