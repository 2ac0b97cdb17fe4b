"""What requests leave behind, in a whole server: one record each, with every attempt, and no word of them."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from chat2api.store.account_events import AccountEvents
from chat2api.store.request_records import RequestFilter, RequestRecord, RequestRecords
from chat2api.store.usage_hours import UsageHours

from .pools import pool_at

PLANTED = "planted-words-of-a-prompt"


@pytest.fixture
def recorded(eventually: Any) -> Callable[..., list[RequestRecord]]:
    """recorded(server, n): the newest `n` records, once there are that many."""

    def look(server: Any, count: int) -> list[RequestRecord]:
        with pool_at(server.data_dir) as pool:
            records = RequestRecords(pool.store)

            def enough() -> list[RequestRecord]:
                found = records.page(RequestFilter())
                return found if len(found) >= count else []

            found: list[RequestRecord] = eventually(enough)
            return found

    return look


def files(server: Any) -> bytes:
    return b"".join(path.read_bytes() for path in server.data_dir.glob("chat2api.db*"))


def test_a_rotation_is_one_record_with_two_attempts(
    start_server: Any, new_tokens: Any, ask: Any, upstream: Any, recorded: Any
) -> None:
    server = start_server(tokens=new_tokens(2), RETRY_TIMES="1", WORKERS="2")
    text = f"/sim text words=40 fault=rate seconds=1234 times=1\n{PLANTED}"
    answer = ask(server, text, stream=True, model="gpt-5-5")
    assert answer.status == 200
    (record,) = recorded(server, 1)
    assert record.request_id == answer.headers["x-request-id"]
    assert (record.status, record.failed, record.model) == (200, False, "gpt-5-5")
    assert (record.provider, record.stream, record.attempts) == ("chatgpt", True, 2)
    first, second = record.trace.attempts
    assert (first.code, first.status, second.code) == ("rate_limit_exceeded", 429, "")
    assert first.retry_after == pytest.approx(1234, abs=2)
    assert record.account_id == second.account_id != first.account_id
    assert second.proof_seconds > 0
    assert second.first_byte is not None
    assert record.completion_tokens > 20
    counted = record.trace.candidates
    assert counted is not None
    assert (counted.total, counted.excluded) == (2, 2)
    assert counted.cooling + counted.limited == 1
    with pool_at(server.data_dir) as pool:
        (event,) = AccountEvents(pool.store).of(first.account_id)
        hour = int(record.at // 3600)
        (used,) = UsageHours(pool.store).tops("model", hour, hour + 2)
    assert (event.kind, event.request_id) == ("limited", record.request_id)
    assert (used.value, used.requests, used.completion_tokens) == (
        "gpt-5-5",
        1,
        record.completion_tokens,
    )
    assert PLANTED.encode() not in files(server)
    assert PLANTED not in server.log


def test_contents_are_sealed_where_they_are_wanted(
    start_server: Any, new_tokens: Any, ask: Any, upstream: Any, recorded: Any
) -> None:
    server = start_server(tokens=new_tokens(1), LOG_CONTENT="true")
    assert ask(server, f"/sim echo\n{PLANTED}").status == 200
    (record,) = recorded(server, 1)
    with pool_at(server.data_dir) as pool:
        content = RequestRecords(pool.store).content(record.record_id)
    assert content is not None
    prompt, _, answer = content.partition("[answer]")
    assert PLANTED in prompt
    assert PLANTED in answer
    assert PLANTED.encode() not in files(server)


def test_a_caller_who_hangs_up(
    server: Any, dial: Any, asking: Any, upstream: Any, recorded: Any, eventually: Any
) -> None:
    wire = dial(server)
    wire.ask("/sim text words=4000 tps=40", stream=True)
    assert wire.head() == 200
    request_id = wire.headers["x-request-id"]
    wire.sock.shutdown(socket.SHUT_RDWR)
    wire.sock.close()

    def found() -> RequestRecord | None:
        with pool_at(server.data_dir) as pool:
            return RequestRecords(pool.store).find(request_id)

    record = eventually(found)
    assert (record.status, record.failed, record.code) == (499, False, "client_gone")


def test_records_survive_the_end_of_the_server(
    start_server: Any, new_tokens: Any, ask: Any, upstream: Any
) -> None:
    """What the last second's requests left is written while the server ends."""
    server = start_server(tokens=new_tokens(1))
    ids = [ask(server).headers["x-request-id"] for _ in range(3)]
    server.stop()
    with pool_at(server.data_dir) as pool:
        found = RequestRecords(pool.store).page(RequestFilter())
    assert [one.request_id for one in reversed(found)] == ids
    assert all(re.fullmatch(r"[\w-]+", one) for one in ids)
