"""A pool with a clock of its own, accounts to put into it, and turns that take them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chat2api.errors import Chat2ApiError
from chat2api.lifetime.call import Call
from chat2api.pool.protocol import AccountPool
from chat2api.pool.values import Account, Need
from chat2api.store.memory_pool import MemoryPool, PoolLimits
from chat2api.store.token_file import credential_of


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def call() -> Call:
    return Call(math.inf)


@pytest.fixture
def need() -> Need:
    return Need("chatgpt", "gpt-5")


def account(name: str, provider: str = "chatgpt") -> Account:
    return Account(name, provider, credential_of(f"fk-{name}", None))


MakePool = Callable[..., MemoryPool]


@pytest.fixture
def make_pool(clock: Clock) -> MakePool:
    """`make_pool("a", "b", concurrency=1)`: a pool of so many accounts; "x:a" is of provider x."""

    def make(
        *names: str,
        concurrency: int = 1,
        queue_seconds: float = 5.0,
        queue_length: int = 1000,
        enable_limit: bool = True,
        load: Callable[[], list[Account]] | None = None,
        watch: Path | None = None,
    ) -> MemoryPool:
        accounts = [
            account(name.rpartition(":")[2], name.rpartition(":")[0] or "chatgpt") for name in names
        ]
        limits = PoolLimits(concurrency, queue_seconds, queue_length, enable_limit)
        return MemoryPool(load or (lambda: accounts), limits, watch=watch, clock=clock)

    return make


def settled(claim: Callable[[], bool]) -> None:
    """Wait until it holds; threads of a test need a moment."""
    deadline = time.monotonic() + 2
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
