"""What the tests of accounts and their store do to a server from outside: kill it, take its disk, hold its
database, hand in accounts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psutil
import requests

from .pools import family_of, workers_of
from .processes import KEY, Server


def kill(server: Server) -> None:
    """SIGKILL for the master only. What it had started must be gone soon: at once, or when a wait for a locked
    database is over."""
    assert server.process.child is not None
    _, *others = family_of(server)
    server.process.child.kill()
    server.process.stop()
    _, left = psutil.wait_procs(others, timeout=12)
    assert left == [], "processes were left behind"


def start_again(server: Server) -> None:
    """The same folder, address and settings. A second line in the same log."""
    server.start()


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server's processes may grow, whatever it is: database, sealed files, log."""
    processes = [p for worker in workers_of(server) for p in (worker, *worker.children(True))]
    for process in processes:
        _, most = process.rlimit(psutil.RLIMIT_FSIZE)
        process.rlimit(psutil.RLIMIT_FSIZE, (1, most))
    try:
        yield
    finally:
        for process in processes:
            _, most = process.rlimit(psutil.RLIMIT_FSIZE)
            process.rlimit(psutil.RLIMIT_FSIZE, (most, most))


@contextmanager
def locked(server: Server) -> Iterator[None]:
    """Another process writes to the SQLite file and does not come to an end."""
    path = server.data_dir / "chat2api.db"
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


def tokens_route(server: Server, action: str, text: str = "") -> requests.Response:
    return requests.post(
        f"{server.url}/tokens/{action}",
        data={"text": text},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=60,
    )


def ready(server: Server) -> tuple[int, Any]:
    """What /readyz tells a stranger."""
    response = requests.get(f"{server.url}/readyz", timeout=10)
    return response.status_code, response.json()
