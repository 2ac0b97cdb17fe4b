"""A desk with much on it: accounts, a million requests and their sums, histories. Made quickly, in SQLite.

The rows go past the code that writes them one batch after the other, in its own forms; with the indexes
of the big table put back at the end.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from benchmarks.accounts import filled
from chat2api.store import desk_tables, tables
from chat2api.store.api_keys import ApiKeys
from chat2api.store.audit import Audit
from chat2api.store.opening import Store
from chat2api.store.traces import AttemptRecord, Candidates, Trace, trace_text
from chat2api.store.usage_hours import ACCOUNT_HOURS_DAYS, step_of

MODELS = ("gpt-5", "gpt-5-mini", "gpt-5-thinking", "gpt-4o", "o3", "auto")
CODES = ("rate_limit_exceeded", "upstream_bad_response", "account_pool_exhausted", "client_gone",
         "upstream_timeout", "invalid_value")  # fmt: skip
_KEYS = 40
_DAYS = 14.0
_USAGE_DAYS = 30
_FAILED_EVERY = 77
_EVENTS_EACH = 20
_ROWS_AT_ONCE = 50_000
_FIRST_BYTES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)


@dataclass(frozen=True, slots=True)
class Filled:
    """What a page may ask for: one of each, of those with many records."""

    store: Store
    account_id: str
    key_id: str
    request_id: str
    failed_request_id: str


def filled_desk(folder: Path, accounts: int = 5_000, requests: int = 1_000_000) -> Filled:
    """A store in `folder`. The caller closes it."""
    dice = random.Random(7)
    store = filled(folder, accounts)
    account_ids = _standings(store, dice)
    keys = [ApiKeys(store).create(f"key {number}")[0].key_id for number in range(_KEYS)]
    now = time.time()
    rows = _Requests(dice, account_ids, keys).rows(requests, now)
    _insert_without_indexes(store, desk_tables.requests, rows)
    _sum_up(store, now)
    _insert(store, desk_tables.account_events, _events(account_ids, now))
    audit = Audit(store)
    for number in range(500):
        audit.note("session benchmark", "203.0.113.9", "describe_key", keys[0], {"number": number})
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    middle = requests // 2
    failed = middle // _FAILED_EVERY * _FAILED_EVERY
    return Filled(store, account_ids[0], keys[0], _request_name(middle), _request_name(failed))


def _standings(store: Store, dice: random.Random) -> list[str]:
    """Of every hundred accounts a few rest, are limited, paused, or want a login."""
    now = time.time()
    accounts, limits = tables.accounts, tables.account_limits

    def work(connection: Any) -> list[str]:
        ids = list(
            connection.execute(accounts.select().with_only_columns(accounts.c.account_id)).scalars()
        )
        for account_id in ids:
            chance = dice.random()
            values: dict[str, Any] = {}
            if chance < 0.06:
                values = {
                    "needs_login": True,
                    "selectable": False,
                    "reason": "token_revoked",
                    "reason_at": now,
                }
            elif chance < 0.2:
                until = now + dice.uniform(60, 7200)
                values = {"cooling_until": until, "limited": True, "selectable": False, "wake_at": until,
                          "reason": "rate_limit_exceeded", "reason_at": now}  # fmt: skip
            elif chance < 0.25:
                values = {"paused": True, "selectable": False}
            elif chance < 0.35:
                row = {"account_id": account_id, "limit_key": "gpt-5", "until": now + 3600}
                connection.execute(limits.insert(), row)
            if values:
                connection.execute(
                    accounts.update().where(accounts.c.account_id == account_id).values(values)
                )
        return ids

    return store.database.write(work, wait_seconds=60)


class _Requests:
    """Requests, evenly over the days, the oldest first; a few keys and models have most of them."""

    def __init__(self, dice: random.Random, accounts: list[str], keys: list[str]) -> None:
        self._dice = dice
        self._accounts, self._keys = accounts, keys
        worked = AttemptRecord(1, "pool", "acc", "", 200, "", None, 0.1, 8.1, 0.9, 0.2)
        limited = AttemptRecord(
            1, "pool", "acc", CODES[0], 429, "Out of quota.", 2160.0, 0.1, 0.4, None
        )
        counted = Candidates(len(accounts), 142, 18, 28, 5, 12, 3, 1)
        self._fine = trace_text(Trace((worked,), None, 0.1, "random"))
        self._bad = trace_text(
            Trace((limited, worked), counted, 0.1, "random", (), "Told.", 2160.0)
        )

    def rows(self, count: int, now: float) -> Iterator[dict[str, Any]]:
        step = _DAYS * 86_400 / count
        choose = self._dice.choices
        weights = [1 / (1 + number) for number in range(_KEYS)]
        models = choose(MODELS, (8, 6, 3, 3, 1, 1), k=count)
        keys = choose(self._keys, weights, k=count)
        accounts = choose(self._accounts, k=count)
        firsts = choose(_FIRST_BYTES, k=count)
        for number in range(count):
            failed = number % _FAILED_EVERY == 0
            yield {
                "request_id": _request_name(number),
                "at": now - (count - number) * step,
                "seconds": 8.1,
                "first_byte_seconds": None if failed else firsts[number],
                "status": 429 if failed else 200,
                "failed": failed,
                "code": CODES[number // _FAILED_EVERY % len(CODES)] if failed else "",
                "path": "/v1/chat/completions",
                "model": models[number],
                "answered_by": models[number],
                "provider": "chatgpt",
                "key_id": keys[number],
                "account_id": accounts[number],
                "attempts": 1 + failed,
                "stream": True,
                "prompt_tokens": 300,
                "completion_tokens": 900,
                "estimated": number % 3 == 0,
                "address": "203.0.113.9",
                "trace": self._bad if failed else self._fine,
            }


def _request_name(number: int) -> str:
    return f"req_{number:032x}"


# --- what the requests leave behind, by the database itself


def _sum_up(store: Store, now: float) -> None:
    """Under its own hour, and under that of the fortnights before, so that a month is full."""
    sums = "count(*), sum(failed), sum(prompt_tokens), sum(completion_tokens), sum(estimated)"
    hour = "cast(at / 3600 as integer)"
    dimensions = {
        "all": (hour, "''", "true"),
        "model": (hour, "model", "true"),
        "key": (hour, "key_id", "true"),
        "code": (hour, "code", "code <> ''"),
        "account": (hour, "account_id", f"at > {now - ACCOUNT_HOURS_DAYS * 86_400}"),
        "account_day": ("cast(at / 86400 as integer) * 24", "account_id", "true"),
    }
    for dimension, (when, value, where) in dimensions.items():
        _run(
            store,
            f"INSERT INTO usage_hours SELECT '{dimension}', {when}, {value}, {sums} FROM requests "
            f"WHERE {where} GROUP BY 2, 3",
        )
    back = int(_DAYS * 24)
    columns = "requests, failed, prompt_tokens, completion_tokens, estimated"
    for times in range(1, -(-_USAGE_DAYS // int(_DAYS))):
        _run(
            store,
            f"INSERT OR IGNORE INTO usage_hours SELECT dimension, hour - {times * back}, value, {columns} "
            f"FROM usage_hours WHERE dimension <> 'account' AND hour > {now / 3600 - back + 24} "
            f"AND hour - {times * back} > {now / 3600 - _USAGE_DAYS * 24}",
        )
    _run(
        store,
        "INSERT INTO account_heat SELECT account_id, cast(at / 300 as integer), "
        f"sum(failed = 0), sum(failed) FROM requests WHERE at > {now - 2 * 86_400} GROUP BY 1, 2",
    )
    # Half a doubling apart: each first byte falls into a step of its own.
    for first in _FIRST_BYTES:
        _run(
            store,
            f"INSERT INTO latency_hours SELECT {hour}, {step_of(first)}, count(*) FROM requests "
            f"WHERE first_byte_seconds = {first} GROUP BY 1",
        )


def _events(accounts: list[str], now: float) -> Iterator[dict[str, Any]]:
    kinds = ("limited", "renewed", "checked", "cooling")
    for number in range(_EVENTS_EACH):
        for account_id in accounts:
            yield {
                "account_id": account_id,
                "at": now - (_EVENTS_EACH - number) * 86_400,
                "kind": kinds[number % len(kinds)],
                "actor": "",
                "request_id": _request_name(number),
                "detail": '{"code": "rate_limit_exceeded", "seconds": 2160}',
            }


def _run(store: Store, statement: str) -> None:
    store.database.write(lambda connection: connection.exec_driver_sql(statement), wait_seconds=120)


def _insert(store: Store, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """By the driver itself: what SQLAlchemy adds would be most of the time."""
    source = iter(rows)
    while batch := list(islice(source, _ROWS_AT_ONCE)):
        columns = list(batch[0])
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"
        values = [tuple(row.values()) for row in batch]
        store.database.write(
            lambda connection, values=values, statement=statement: connection.exec_driver_sql(  # type: ignore[misc]
                statement, values
            ),
            wait_seconds=60,
        )


def _insert_without_indexes(store: Store, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    for index in table.indexes:
        store.database.write(index.drop)
    _insert(store, table, rows)
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        store.database.write(index.create, wait_seconds=120)
