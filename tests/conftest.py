"""What every test shares."""

from __future__ import annotations

import gc
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings

from chat2api.errors import StorageUnavailable
from chat2api.secret import Secret
from chat2api.store.desk_tables import metadata
from chat2api.store.engine import Database
from chat2api.store.opening import Store
from chat2api.store.vault import Vault

ROOT = Path(__file__).resolve().parents[1]

# Examples are not timed: on a busy machine a slow one says nothing about the code.
settings.register_profile(
    "chat2api", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
# For a long look: HYPOTHESIS_PROFILE=thorough make test
settings.register_profile("thorough", settings.get_profile("chat2api"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "chat2api"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Twelve thousand tests come, and none goes: the garbage collector would look at them all the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


class ServerProcess:
    """A real process that serves, or refuses to. Output goes to files, so nothing can block it."""

    def __init__(self, command: list[str], cwd: Path, env: dict[str, str]) -> None:
        self._out = (cwd / f"out-{uuid.uuid4().hex}").open("w+")
        self._err = (cwd / f"err-{uuid.uuid4().hex}").open("w+")
        self.popen = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err
        )

    @property
    def out(self) -> str:
        return Path(self._out.name).read_text()

    @property
    def log(self) -> str:
        return Path(self._err.name).read_text()

    @property
    def port(self) -> int:
        """The port listened on. Waits until it listens."""
        return int(self.wait_for(r"Listening at: http://\S+:(\d+) ")[1])

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """The first match in what the process wrote to standard error."""
        return self.wait_until(lambda: re.search(pattern, self.log), seconds)

    def wait_until(self, look: Callable[[], Any], seconds: float = 20) -> Any:
        """What `look` gives once it is true."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < deadline, f"waited in vain; it wrote:\n{self.out}{self.log}"
            time.sleep(0.02)
        return seen

    def exit_code(self, seconds: float = 20) -> int:
        return self.popen.wait(seconds)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def raw(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower-case names) and body of the answer to these very bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        return int(status.split()[1]), headers, body

    def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        return self.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    def family(self) -> list[psutil.Process]:
        """The process and everything it started."""
        try:
            root = psutil.Process(self.popen.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def end(self) -> None:
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.popen.wait(10)
        self._out.close()
        self._err.close()


class StoreClock:
    """The time of a store in a test: epoch seconds that stand still until `at` is moved."""

    def __init__(self, at: float = 1_750_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


@pytest.fixture(scope="session")
def empty_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "empty.db"
    database = Database(f"sqlite:///{path}")
    database.write(metadata.create_all)
    database.close()
    return path


@cache
def vault_of_the_suite() -> Vault:
    return Vault(
        [Secret("a key of the suite")], b"pepper of the suite"
    )  # its key is dear to derive


@pytest.fixture
def key_store(tmp_path: Path, empty_tables: Path) -> Iterator[Store]:
    """A store of its own in SQLite, with every table; `key_store.clock.at` moves its time."""
    path = tmp_path / "keys.db"
    shutil.copyfile(empty_tables, path)
    path.chmod(0o600)
    database = Database(f"sqlite:///{path}")
    clock: Any = StoreClock()
    yield Store(database, vault_of_the_suite(), tmp_path, clock)
    database.close()


class BrokenStore:
    """Stands for a store whose database is away, or counts what it is asked."""

    def __init__(self, store: Store) -> None:
        self.is_away = False
        self._database = store.database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def read(self, work: Any) -> Any:
        self._check()
        return self._database.read(work)

    def write(self, work: Any, **options: Any) -> Any:
        self._check()
        return self._database.write(work, **options)

    def _check(self) -> None:
        if self.is_away:
            raise StorageUnavailable("The database does not answer.", retry_after=5)


@pytest.fixture
def outage(key_store: Store) -> BrokenStore:
    """`outage.is_away = True` takes the database of `key_store` away."""
    broken = BrokenStore(key_store)
    object.__setattr__(key_store, "database", broken)
    return broken


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """start_server(*arguments, cwd=None, **environ): runs python with them, in an empty directory.

    The environment holds nothing of ours but `environ`. What still runs at the end is killed.
    """
    started: list[ServerProcess] = []
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")

    def start(*arguments: str, cwd: Path | None = None, **environ: str) -> ServerProcess:
        inherited = {name: os.environ[name] for name in keep if name in os.environ}
        env = {**inherited, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environ}
        where = cwd or tmp_path_factory.mktemp("server")
        started.append(ServerProcess([sys.executable, *arguments], where, env))
        return started[-1]

    yield start
    for process in started:
        process.end()
