"""A pool with a clock of its own, and accounts to put into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from chat2api.lifetime.call import Call
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
