"""The server's pool, looked at and prodded from outside, through the same database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from chat2api.secret import Secret
from chat2api.store.account_book import AccountBook
from chat2api.store.credentials import Credentials
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.opening import Store, StoreOptions, open_store, prepare_store

from .processes import Server

SECRET_KEY = "a-secret-key-of-the-test-suite-only"


@dataclass(frozen=True)
class Pool:
    store: Store

    @property
    def book(self) -> AccountBook:
        return AccountBook(self.store)

    @property
    def intake(self) -> Intake:
        return Intake(self.store)

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.store, "test")

    def states(self) -> dict[str, str]:
        """Label (the e-mail's name) -> state."""
        return {row.label.partition("@")[0]: row.state for row in self.book.everything()}

    def reasons(self) -> dict[str, str]:
        return {row.label.partition("@")[0]: row.reason for row in self.book.everything()}


@contextmanager
def pool_at(data_dir: Path, url: str | None = None) -> Iterator[Pool]:
    secret_url = None if url is None else Secret(url)
    options = StoreOptions(
        database_url(secret_url, data_dir), data_dir, (Secret(SECRET_KEY),) if url else ()
    )
    prepare_store(options, "test")
    store = open_store(options)
    try:
        yield Pool(store)
    finally:
        store.close()


def workers_of(server: Server) -> list[psutil.Process]:
    """The processes that serve: the master's children that are gunicorn workers."""
    assert server.process.child is not None
    try:
        return psutil.Process(server.process.child.pid).children()
    except psutil.NoSuchProcess:
        return []


def family_of(server: Server) -> list[psutil.Process]:
    assert server.process.child is not None
    try:
        root = psutil.Process(server.process.child.pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def refreshes(simulator: Any, since: int = 0) -> list[dict[str, Any]]:
    """The ledger of the token endpoint."""
    return list(simulator.control(f"refreshes?since={since}")["refreshes"])
