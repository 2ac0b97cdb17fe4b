"""The database locked, full, read-only or away under a running server (C05, E01 to E04, E06)."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event, Thread
from typing import Any

import pytest
from psycopg import sql

from chat2api.store.api_keys import ApiKeys
from chat2api.store.audit import Audit
from tests.postgres import OwnCluster, Unavailable, start_cluster

from .part2 import full_disk, kill, locked, ready, start_again, tokens_route
from .pools import SECRET_KEY, pool_at, refreshes

pytestmark = pytest.mark.timeout(120)

DEGRADED = (200, {"status": "degraded"})
READY = (200, {"status": "ready"})


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    try:
        running = start_cluster()
    except Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    yield running
    running.remove()


def new_login(upstream: Any, name: str) -> dict[str, Any]:
    wish = {"name": name, "refresh": "rt", "expired": True}
    account: dict[str, Any] = upstream.control("accounts", wish)
    return account


@pytest.mark.parametrize("ends", ["unlocked", "killed"])
def test_tokens_that_the_database_does_not_take(
    brief_server: Any, own_upstream: Any, ask: Any, eventually: Any, ends: str
) -> None:
    """C05: sealed beside it and used at once, stored later, and no spent token is shown again."""
    server = brief_server(
        tokens=[],
        upstream=own_upstream.url,
        OPENAI_AUTH_TOKEN_URL=f"{own_upstream.url}/oauth/token",
        ACCOUNT_CONCURRENCY="5",
    )
    slow = {"endpoint": "oauth_token", "fault": "hang", "params": {"seconds": 3}}
    own_upstream.control("next", slow)
    account = new_login(own_upstream, "kept")
    tokens_route(server, "upload", account["refresh_token"])
    with pool_at(server.data_dir) as pool, ThreadPoolExecutor(5) as crowd:
        asked = [crowd.submit(ask, server) for _ in range(5)]
        eventually(lambda: own_upstream.control("requests?endpoint=oauth_token")["requests"])
        # All five hold the account; whoever comes later would find nobody to fall back on.
        eventually(lambda: [row.running for row in pool.book.everything()] == [5])
        with locked(server):
            # With the new token, out of memory, also who only waited for it.
            assert [one.result(30).status for one in asked] == [200] * 5
            (kept,) = (server.data_dir / "escrow").iterdir()
            sealed = kept.read_text()
            newest = own_upstream.control("accounts")["accounts"]
            for token in (
                one[kind] for one in newest for kind in ("access_token", "refresh_token")
            ):
                assert token is None or token not in sealed
            if ends == "killed":
                kill(server)
        if ends == "killed":
            start_again(server)
        eventually(lambda: not kept.exists(), 40)
        eventually(lambda: ask(server).status == 200, 20)
        assert "kept_tokens_stored" in {entry.action for entry in Audit(pool.store).recent(100)}
        pool.credentials.make_all_due(1.0, 1000.0)
        eventually(lambda: len(refreshes(own_upstream)) == 2, 20)
        eventually(lambda: not pool.credentials.is_anything_under_way())
        assert pool.states() == {"kept": "active"}
    assert [one["outcome"] for one in refreshes(own_upstream)] == ["rotated", "rotated"]


def test_a_full_disk(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, eventually: Any
) -> None:
    """E02: chat goes on and says so; what must be written is refused; afterwards all is as it was."""
    server = brief_server(tokens=new_tokens(3), WORKERS="2")
    assert ask(server).status == 200
    time.sleep(6)  # until both workers know the accounts to fall back on
    with full_disk(server):
        for _ in range(6):
            assert ask(server).status == 200
        eventually(lambda: ready(server) == DEGRADED)
        refused = tokens_route(server, "upload", "fk-a-token-that-finds-no-room")
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            503,
            "storage_unavailable",
        )
    eventually(lambda: ready(server) == READY, 30)
    assert ask(server).status == 200
    with closing(sqlite3.connect(server.data_dir / "chat2api.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM accounts").fetchall() == [(3,)]


def test_a_lock_that_stays(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, eventually: Any
) -> None:
    """E01: nobody is stopped; after some seconds what must be written is refused."""
    server = brief_server(tokens=new_tokens(2))
    assert ask(server).status == 200
    with locked(server):
        began = time.monotonic()
        with ThreadPoolExecutor(1) as other:
            writing = other.submit(tokens_route, server, "upload", "fk-a-token-that-waits-in-vain")
            while not writing.done():
                asked_at = time.monotonic()
                assert ask(server).status == 200
                assert ready(server)[0] == 200
                assert time.monotonic() - asked_at < 4
        assert writing.result().status_code == 503
        assert time.monotonic() - began < 9
    eventually(lambda: tokens_route(server, "upload", "fk-a-token").status_code == 200, 10)


def test_postgresql_that_takes_no_writes(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, eventually: Any, cluster: Any
) -> None:
    """E03"""
    url = cluster.create("read_only")
    server = brief_server(tokens=new_tokens(2), DATABASE_URL=url, SECRET_KEY=SECRET_KEY)
    assert ask(server).status == 200
    read_only(cluster, "on")
    assert ask(server).status == 200
    assert ready(server) == DEGRADED
    refused = tokens_route(server, "upload", "fk-a-token")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    read_only(cluster, "off")
    eventually(lambda: tokens_route(server, "upload", "fk-a-token").status_code == 200, 20)
    eventually(lambda: ready(server) == READY, 30)


def read_only(cluster: OwnCluster, value: str) -> None:
    cluster.execute(
        sql.SQL("ALTER DATABASE read_only SET default_transaction_read_only = {}").format(
            sql.SQL(value)
        ),
        sql.SQL("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='read_only'"),
    )


def test_postgresql_that_is_away(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, eventually: Any, cluster: Any
) -> None:
    """E04, E06: known keys go on for a while, unknown ones are not called wrong, revoked ones stay dead."""
    url = cluster.create("away")
    shared = {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}
    patient = brief_server(tokens=new_tokens(2), **shared)
    strict = brief_server(tokens=[], KEY_GRACE_SECONDS="0", **shared)
    with pool_at(patient.data_dir, url) as pool:
        keys = ApiKeys(pool.store)
        _, known = keys.create("known")
        _, unknown = keys.create("never used before")
        gone, revoked = keys.create("revoked")
        for key in (known, revoked):
            for server in (patient, strict):
                assert ask(server, key=key.reveal()).status == 200
        keys.revoke(gone.key_id)
        eventually(lambda: ask(patient, key=revoked.reveal()).status == 401)

    cluster.stop()
    for _ in range(3):
        assert ask(patient, key=known.reveal()).status == 200
    assert ready(patient) == DEGRADED
    assert ask(patient, key=revoked.reveal()).status in (401, 503)
    for server, key in ((patient, unknown), (strict, known)):
        answer = ask(server, key=key.reveal())
        assert (answer.status, answer.code) == (503, "storage_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    cluster.start()
    for server in (patient, strict):
        eventually(lambda server=server: ask(server, key=unknown.reveal()).status == 200, 20)
        assert ask(server, key=revoked.reveal()).status == 401
    eventually(lambda: ready(patient) == READY, 30)


def test_postgresql_that_restarts_under_load(
    brief_server: Any, new_tokens: Any, upstream: Any, ask: Any, cluster: Any
) -> None:
    """E04: nobody who has a valid key notices."""
    url = cluster.create("restarted")
    server = brief_server(
        tokens=new_tokens(3), DATABASE_URL=url, SECRET_KEY=SECRET_KEY, WORKERS="2"
    )
    with pool_at(server.data_dir, url) as pool:
        _, key = ApiKeys(pool.store).create("loaded")
    secret, over, seen = key.reveal(), Event(), Counter[tuple[int, str | None]]()

    def caller() -> None:
        while not over.is_set():
            answer = ask(server, key=secret)
            seen[(answer.status, answer.code)] += 1

    with ThreadPoolExecutor(12) as warming:  # both workers meet the key and the accounts
        list(warming.map(lambda _: ask(server, key=secret), range(24)))
    time.sleep(6)
    callers = [Thread(target=caller) for _ in range(6)]
    for thread in callers:
        thread.start()
    time.sleep(0.5)
    cluster.stop()
    cluster.start()
    time.sleep(2)
    over.set()
    for thread in callers:
        thread.join(30)
    assert set(seen) == {(200, None)}
