"""Renewing over several processes: one exchange a token, whatever happens (A01, A02, C01 to C04)."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from sqlalchemy import select

from chat2api.store import tables
from chat2api.store.audit import Audit
from tests.postgres import OwnCluster, Unavailable, start_cluster

from .pools import SECRET_KEY, Pool, family_of, pool_at, refreshes, workers_of
from .processes import KEY, OwnSimulator, Server

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def cluster() -> Iterator[OwnCluster]:
    try:
        running = start_cluster()
    except Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")
    yield running
    running.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """The address of a fresh database; None for the one in DATA_DIR."""
    if request.param == "sqlite":
        return None
    cluster: OwnCluster = request.getfixturevalue("cluster")
    return cluster.create("renewal")


@pytest.fixture
def servers(
    tmp_path: Path, own_upstream: OwnSimulator, database: str | None
) -> Iterator[Callable[..., Server]]:
    """Servers on one database; where that is a file, in one folder, else each in its own."""
    started: list[Server] = []

    def start(**settings: str) -> Server:
        shared = {"DATABASE_URL": database, "SECRET_KEY": SECRET_KEY} if database else {}
        folder = tmp_path / ("server" if database is None else f"server-{len(started)}")
        server = Server(
            folder,
            own_upstream.url,
            [],
            {
                "OPENAI_AUTH_TOKEN_URL": f"{own_upstream.url}/oauth/token",
                "WORKERS": "2",
                "REFRESH_PARALLEL": "8",
                "REFRESH_PER_SECOND": "100",
                **shared,
                **settings,
            },
        )
        started.append(server)
        return server.start()

    yield start
    for server in started:
        for process in family_of(server):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        assert server.process.child is not None
        server.process.child.wait(10)
        server.stop()


def new_accounts(upstream: OwnSimulator, count: int, **more: Any) -> list[dict[str, Any]]:
    wishes = [{"name": f"person-{n}", "refresh": "rt", **more} for n in range(count)]
    return list(upstream.control("accounts", wishes))


def upload(server: Server, lines: list[str]) -> None:
    answer = requests.post(
        f"{server.url}/tokens/upload",
        data={"text": "\n".join(lines)},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=60,
    )
    assert answer.json()["status"] == "success", answer.text


def refresh_tokens(accounts: list[dict[str, Any]]) -> list[str]:
    return [account["refresh_token"] for account in accounts]


def test_many_requests_need_one_exchange(
    servers: Any, own_upstream: OwnSimulator, ask: Any, database: Any
) -> None:
    """C01 and C02: two processes, twenty requests each, one account whose access token is unknown."""
    own_upstream.control(
        "next", {"endpoint": "oauth_token", "fault": "hang", "params": {"seconds": 1}}
    )
    server = servers(SCHEDULED_REFRESH="false", ACCOUNT_CONCURRENCY="0")
    upload(server, refresh_tokens(new_accounts(own_upstream, 1)))
    with ThreadPoolExecutor(40) as crowd:
        answers = list(crowd.map(lambda _: ask(server), range(40)))
    assert Counter(answer.status for answer in answers) == {200: 40}
    assert [one["outcome"] for one in refreshes(own_upstream)] == ["rotated"]


def test_a_refused_token_is_renewed_and_the_same_account_asked_again(
    servers: Any, own_upstream: OwnSimulator, ask: Any
) -> None:
    """A01"""
    server = servers()
    upload(server, refresh_tokens(new_accounts(own_upstream, 1)))
    assert ask(server).status == 200
    before = len(refreshes(own_upstream))
    own_upstream.control("next", {"fault": "expired"})
    assert ask(server).status == 200
    assert [one["outcome"] for one in refreshes(own_upstream)[before:]] == ["rotated"]


def test_a_login_that_is_over_goes_to_the_next_account(
    servers: Any, own_upstream: OwnSimulator, ask: Any, tmp_path: Path, database: str | None
) -> None:
    """A02: with the reason, the others untouched, the credential kept."""
    server = servers(RANDOM_TOKEN="false")
    upload(server, refresh_tokens(new_accounts(own_upstream, 2)))
    assert {ask(server).status, ask(server).status} == {200}
    own_upstream.control("accounts/person-0/revoke", {"what": "both"})
    for _ in range(2):
        assert ask(server).status == 200
    with pool_at(server.data_dir, database) as pool:
        assert pool.states() == {"person-0": "needs_login", "person-1": "active"}
        assert "refresh_token_invalidated" in pool.reasons()["person-0"]
        kept = {one.label: one for one in pool.book.export()}
        assert kept["person-0@example.com"].refresh_token is not None


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_reload_shows_no_token_a_second_time(
    servers: Any, own_upstream: OwnSimulator, database: None
) -> None:
    """C01: the old process sees its exchange through, and the new one waits for it."""
    own_upstream.control(
        "next", {"endpoint": "oauth_token", "fault": "hang", "params": {"seconds": 5}}
    )
    server = servers(SCHEDULED_REFRESH="false", WORKERS="1")
    (old,) = workers_of(server)
    upload(server, refresh_tokens(new_accounts(own_upstream, 1)))
    with pool_at(server.data_dir) as pool:
        sent = select(tables.credentials.c.sent_at)
        wait_until(lambda: pool.store.database.read(lambda c: c.execute(sent).scalar()) is not None)
        server.process.child.send_signal(signal.SIGHUP)
        wait_until(lambda: not old.is_running(), seconds=30)
        wait_until(lambda: pool.credentials.renewable()[0][1] == 2)
    assert [one["outcome"] for one in refreshes(own_upstream)] == ["rotated"]


def wait_until(done: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_all_accounts_at_once_while_processes_are_killed(
    servers: Any, own_upstream: OwnSimulator, ask: Any, database: str | None, tmp_path: Path
) -> None:
    """Two servers with two workers each, 200 accounts, every one due, and SIGKILL at random.

    Every account can be renewed afterwards, and a spent token was shown only where a kill fell between
    the upstream's answer and our saving it: there the upstream's overlap lets it be made up for.
    """
    own_upstream.control("config", {"refresh_overlap_seconds": 600})
    first = servers()
    second = servers() if database else first
    upload(first, refresh_tokens(new_accounts(own_upstream, 200)))
    with pool_at(first.data_dir, database) as pool:
        wait_until_nothing_is_due(pool)
        chance = random.Random(7)
        for _ in range(3):
            assert pool.credentials.make_all_due(1.0, 1000.0) == 200
            for _ in range(4):
                time.sleep(0.15 + chance.random() / 3)
                victims = workers_of(chance.choice([first, second]))
                if victims:
                    with suppress(psutil.NoSuchProcess):
                        chance.choice(victims).kill()
            wait_until_nothing_is_due(pool)
        shown_again = interrupted(pool)
        before = refreshes(own_upstream)
        assert pool.credentials.make_all_due(1.0, 1000.0) == 200
        wait_until_nothing_is_due(pool)
        last = refreshes(own_upstream)[len(before) :]
        assert Counter(one["outcome"] for one in last) == {"rotated": 200}
        assert Counter(pool.states().values()) == {"active": 200}
        # Only tokens that a killed process had sent were ever shown twice.
        twice = tokens_shown_twice(refreshes(own_upstream))
        assert len(twice) <= shown_again


def test_what_a_kill_loses_is_told(
    servers: Any, own_upstream: OwnSimulator, database: str | None
) -> None:
    """C04: an upstream that forgives nothing. Whatever was lost is listed and says why; the rest goes on."""
    server = servers()
    upload(server, refresh_tokens(new_accounts(own_upstream, 60)))
    with pool_at(server.data_dir, database) as pool:
        wait_until_nothing_is_due(pool)
        # Answers that are on their way when the axe falls: spent upstream, unknown here.
        own_upstream.control(
            "default",
            {"endpoint": "oauth_token", "fault": "rotate_then_hang", "params": {"seconds": 20}},
        )
        assert pool.credentials.make_all_due(1.0, 1000.0) == 60
        wait_for(lambda: len(refreshes(own_upstream)) >= 64)
        for worker in workers_of(server):
            worker.kill()
        own_upstream.control("default", [])
        wait_until_nothing_is_due(pool)
        lost = {row.label.partition("@")[0]: row.reason for row in pool.book.everything("failed")}
        assert lost
        assert all("interrupted" in reason for reason in lost.values())
        # Their access tokens live on, and are used as long as they do.
        assert Counter(pool.states().values()) == {"active": 60}
        reused = [one for one in refreshes(own_upstream) if one["outcome"] == "reused"]
        assert {one["account"] for one in reused} == set(lost)


def wait_for(look: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def interrupted(pool: Pool) -> int:
    """How often a renewal was found that a dead process had begun."""
    entries = Audit(pool.store).recent(1000)
    return sum(entry.action == "renewal_interrupted" for entry in entries)


def tokens_shown_twice(ledger: list[dict[str, Any]]) -> list[str]:
    counted = Counter(one["token"] for one in ledger)
    return [token for token, count in counted.items() if count > 1]


def wait_until_nothing_is_due(pool: Pool, seconds: float = 120) -> None:
    """Claims of the killed last a minute, so this may take that long."""
    end = time.monotonic() + seconds
    while pool.credentials.is_anything_under_way():
        assert time.monotonic() < end, "renewals do not come to an end"
        time.sleep(0.3)
