"""Stores on SQLite and PostgreSQL, pools of every kind, and turns that take accounts from them."""

from __future__ import annotations

import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Account, Credential, Need
from chat2api.secret import Secret
from chat2api.store import desk_tables, tables
from chat2api.store.engine import Database
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import MemoryPool, PoolLimits
from chat2api.store.opening import Store
from chat2api.store.picking import PickOptions
from chat2api.store.schema import migrate
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

from ..postgres import Cluster, Unavailable, start_cluster
from .handed import Clock, Place

# --- databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """TEST_DATABASE_URL names a server where databases may be made; else one is started."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield Cluster(given)
        return
    try:
        cluster = start_cluster()
    except Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def postgres_url(postgres: Cluster) -> Iterator[str]:
    """One migrated database for all tests: emptying it is quicker than making another."""
    name = f"chat2api_{os.getpid()}"
    url = postgres.create(name)
    _migrate(url, Path())
    yield url
    postgres.drop(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "chat2api.db"
    _migrate(f"sqlite:///{path}", path.parent)
    return path


def _migrate(url: str, folder: Path) -> None:
    database = Database(with_driver(url))
    migrate(database, version="0.1.0", backups=folder)
    database.write(lambda connection: connection.execute(tables.meta.delete()))
    database.close()


@pytest.fixture
def sqlite_place(sqlite_template: Path, tmp_path: Path) -> Place:
    path = tmp_path / "chat2api.db"
    shutil.copyfile(sqlite_template, path)
    path.chmod(0o600)
    return Place(f"sqlite:///{path}", tmp_path)


@pytest.fixture
def postgres_place(postgres_url: str, tmp_path: Path) -> Place:
    names = [sql.Identifier(table.name) for table in desk_tables.metadata.sorted_tables]
    empty = sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(names))
    with closing(psycopg.connect(postgres_url, autocommit=True)) as connection:
        connection.execute(empty)
    return Place(with_driver(postgres_url), tmp_path)


def with_driver(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty database, on either system."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def now() -> Clock:
    """The stores' time."""
    return Clock()


@pytest.fixture
def store(place: Place, now: Clock) -> Iterator[Store]:
    opened = place.open(now)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_place: Place, now: Clock) -> Iterator[Store]:
    opened = sqlite_place.open(now)
    yield opened
    opened.close()


@pytest.fixture
def postgres_store(postgres_place: Place, now: Clock) -> Iterator[Store]:
    opened = postgres_place.open(now)
    yield opened
    opened.close()


@pytest.fixture
def intake(store: Store) -> Intake:
    return Intake(store, breathe=lambda seconds: None)


# --- pools for the contract


class PoolClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> PoolClock:
    return PoolClock()


@pytest.fixture
def call() -> Call:
    return Call(math.inf)


@pytest.fixture
def need() -> Need:
    return Need("chatgpt", "gpt-5")


def account(name: str) -> Account:
    """ "x:a" is account a of provider x."""
    provider, _, name = name.rpartition(":")
    return Account(name, provider or "chatgpt", Credential(name, Secret(f"fk-{name}")))


MakePool = Callable[..., AccountPool]
MakeMemoryPool = Callable[..., MemoryPool]


def limits(
    concurrency: int = 1,
    queue_seconds: float = 5.0,
    queue_length: int = 1000,
    enable_limit: bool = True,
) -> PoolLimits:
    return PoolLimits(concurrency, queue_seconds, queue_length, enable_limit)


@pytest.fixture
def memory_pool(clock: PoolClock) -> MakeMemoryPool:
    """`memory_pool("a", "b", concurrency=1)`: a pool of so many accounts."""
    return lambda *names, **given: MemoryPool(limits(**given), map(account, names), clock=clock)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def make_pool(
    request: pytest.FixtureRequest, memory_pool: MakeMemoryPool, clock: PoolClock
) -> Iterator[MakePool]:
    """The same for each kind of pool. Every pool of the database has the same accounts."""
    if request.param == "memory":
        yield memory_pool
        return
    place: Place = request.getfixturevalue(f"{request.param}_place")
    time_of_store = Clock()
    time_of_store.now = clock.__call__  # type: ignore[method-assign]
    opened = place.open(time_of_store)

    def make(*names: str, **given: Any) -> AccountPool:
        put_accounts(opened, [account(name) for name in names])
        given_limits = limits(**given)
        options = PickOptions(
            given_limits.concurrency, at_random=False, enable_limit=given_limits.enable_limit
        )
        return SqlPool(opened, Workers(opened), options, given_limits, clock)

    yield make
    opened.close()


def put_accounts(store: Store, accounts: list[Account]) -> None:
    """Under these very ids, in place of what is there."""

    def work(connection: Any) -> None:
        for table in reversed(desk_tables.metadata.sorted_tables):
            connection.execute(table.delete())
        for number, one in enumerate(accounts, 1):
            token = one.credential.access_token
            credential = {
                "credential_id": f"cred_{number}",
                "access_token": store.vault.seal_or_none(token),
            }
            row = {
                "account_id": one.account_id,
                "identity": f"at:{one.account_id}",
                "provider": one.provider,
                "credential_id": f"cred_{number}",
                "turn": number,
                "position": number,
            }
            connection.execute(tables.credentials.insert(), credential)
            connection.execute(tables.accounts.insert(), row)

    store.database.write(work)


# --- turns


def settled(claim: Callable[[], bool]) -> None:
    """Wait until it holds; threads of a test need a moment."""
    deadline = time.monotonic() + 5
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Turn(threading.Thread):
    """A turn in a thread of its own: takes a lease, notes it, holds it until `go_on`."""

    def __init__(self, pool: AccountPool, need: Need, call: Call | None = None) -> None:
        super().__init__(daemon=True)
        self._pool = pool
        self._need = need
        self._go_on = threading.Event()
        self.call = call or Call(math.inf)
        self.got: str | Chat2ApiError | None = None
        self.start()

    def run(self) -> None:
        try:
            with self._pool.lease(self._need, self.call) as lease:
                self.got = lease.account.account_id
                self._go_on.wait(5)
        except Chat2ApiError as error:
            self.got = error

    def served(self) -> None:
        settled(lambda: self.got is not None)

    def end(self) -> str | Chat2ApiError | None:
        self._go_on.set()
        self.join(5)
        assert not self.is_alive()
        return self.got


@pytest.fixture
def turns() -> Iterator[Callable[..., Turn]]:
    """`turns(pool, need)` starts one and waits until it has its account or its place in the queue."""
    started: list[Turn] = []

    def start(pool: AccountPool, need: Need, call: Call | None = None) -> Turn:
        turn = Turn(pool, need, call)
        started.append(turn)
        settled(lambda: turn.got is not None or len(turn.call._hooks) > 0)
        return turn

    yield start
    for turn in started:
        turn.end()
