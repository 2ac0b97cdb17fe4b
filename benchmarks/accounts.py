"""What the account pool costs, from ten accounts to a hundred thousand: CPU, in this process, on SQLite."""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.figures import Figure
from chat2api.errors import Blame
from chat2api.lifetime.call import Call
from chat2api.pool.values import Need, NewAccount, Outcome
from chat2api.secret import Secret
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.memory_pool import PoolLimits
from chat2api.store.opening import Store, StoreOptions, open_store, prepare_store
from chat2api.store.picking import PickOptions
from chat2api.store.sql_pool import SqlPool
from chat2api.store.workers import Workers

_SIZES = (10, 1_000, 100_000)
_PICKS = 1_000
_MOST_CPU_MS = 1.0
_NEED = Need("chatgpt", "gpt-5")
_GOOD = Outcome(None, "gpt-5")
_LIMITED = Outcome(Blame.LIMITED, "gpt-5", retry_after=3600.0, per_model=True)


def accounts(rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    for size in _SIZES:
        with _store_of(size) as store:
            for name, at_random in (("at random", True), ("in turn", False)):
                pool = _pool(store, at_random)
                _cpu_ms(pool, _GOOD)  # the first ones fill caches
                figures.append(
                    Figure(
                        f"pick and report, {size:,} accounts, {name}",
                        "CPU ms",
                        [_cpu_ms(pool, _GOOD) for _ in range(rounds)],
                        highest=_MOST_CPU_MS,
                    )
                )
            if size >= 2 * _PICKS:
                figures.append(
                    Figure(
                        f"pick and a limit written down, {size:,} accounts",
                        "CPU ms",
                        [_cpu_ms(_pool(store, at_random=False), _LIMITED)],
                    )
                )
    return figures


def _cpu_ms(pool: SqlPool, outcome: Outcome) -> float:
    """CPU of one turn's lease and report, in milliseconds."""
    began = time.process_time()
    for _ in range(_PICKS):
        with pool.lease(_NEED, Call(time.monotonic() + 60)) as lease:
            pool.report(lease, outcome)
    return (time.process_time() - began) * 1000 / _PICKS


def _pool(store: Store, at_random: bool) -> SqlPool:
    workers = Workers(store)
    workers.renew()
    return SqlPool(store, workers, PickOptions(at_random=at_random), PoolLimits())


@contextmanager
def _store_of(size: int) -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder, closing(filled(Path(folder), size)) as store:
        yield store


def filled(folder: Path, size: int) -> Store:
    """A SQLite store in `folder` with so many accounts. The caller closes it."""
    options = StoreOptions(database_url(None, folder), folder)
    prepare_store(options, "benchmark")
    store = open_store(options)
    Intake(store).add((_account(number) for number in range(size)), "benchmark", at_once=True)
    return store


def _account(number: int) -> NewAccount:
    claims = {
        "exp": int(time.time()) + 864_000,
        "https://api.openai.com/auth": {
            "chatgpt_user_id": f"user-{number}",
            "chatgpt_account_id": f"workspace-{number}",
            "chatgpt_plan_type": "plus",
        },
        "https://api.openai.com/profile": {"email": f"{number}@example.com"},
    }
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    # About as long as the real ones, signature included.
    return NewAccount(
        access_token=Secret(f"eyJhbGciOiJSUzI1NiJ9.{middle}.{secrets.token_urlsafe(600)}")
    )
