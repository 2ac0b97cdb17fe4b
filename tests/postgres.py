"""A private PostgreSQL for tests: a cluster of its own in a temporary folder, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

_BINARIES = "/usr/lib/postgresql"
_START_SECONDS = 30.0


class Unavailable(Exception):
    """There is no PostgreSQL to test with; the text says why."""


class Cluster:
    """Databases on one server. `url_for(name)` gives an address that SQLAlchemy and the settings read."""

    def __init__(self, base: str) -> None:
        self._base = base

    def url_for(self, name: str) -> str:
        head, _, tail = self._base.partition("://")
        host = tail.split("/", 1)[0]
        return f"{head.split('+')[0]}://{host}/{name}"

    def execute(self, *statements: sql.Composable, database: str = "postgres") -> list[Any]:
        """Run statements outside transactions; the rows of the last."""
        rows: list[Any] = []
        with closing(psycopg.connect(self.url_for(database), autocommit=True)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def create(self, name: str, template: str = "template1") -> str:
        """A fresh database; returns its address."""
        self.drop(name)
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url_for(name)

    def drop(self, name: str) -> None:
        gone = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self.execute(gone.format(sql.Identifier(name)))

    def stop(self) -> None:
        """Somebody else's server goes on."""


class OwnCluster(Cluster):
    """Started here: it may be stopped and started again."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self.port}")

    def initialise(self) -> None:
        made = subprocess.run(
            [*_as_postgres(), self._binaries / "initdb", "-D", self._folder / "data",
             "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
            cwd=self._folder, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        if made.returncode != 0:
            raise Unavailable(f"initdb failed: {made.stderr.strip()[-200:]}")

    def start(self) -> None:
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [*_as_postgres(), self._binaries / "postgres", "-D", self._folder / "data",
             "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", f"unix_socket_directories={self._folder}", "-c", "fsync=off",
             "-c", "max_connections=50", "-c", "deadlock_timeout=100ms"],
            cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.execute(sql.SQL("SELECT 1"))
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise Unavailable("the server did not start") from None
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, cutting every connection."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait(20)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def start_cluster() -> OwnCluster:
    """A server of our own on a free port. Raises Unavailable."""
    found = sorted(Path(_BINARIES).glob("*/bin/postgres"))
    if not found:
        raise Unavailable(f"no PostgreSQL server in {_BINARIES}")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.getuid() == 0:
        with suppress(KeyError):
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
    cluster = OwnCluster(found[-1].parent, folder)
    try:
        cluster.initialise()
        cluster.start()
    except (Unavailable, OSError, subprocess.TimeoutExpired) as error:
        cluster.remove()
        raise Unavailable(str(error)) from None
    return cluster


def _as_postgres() -> list[str]:
    """The server refuses to run as root. It ends with us, however we end."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if os.getuid() == 0:
            raise Unavailable("root cannot run a server without setpriv")
        return []
    ends = [setpriv, "--pdeathsig", "INT"]
    if os.getuid() != 0:
        return ends
    return [*ends, "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
