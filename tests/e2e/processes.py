"""The processes of the suite: the simulator as upstream, and chat2api itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
import requests

from chat2api.settings.version import version
from chat2api.store.engine import Database, database_url
from chat2api.store.schema import migrate

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test-key-of-the-suite"
DATABASE = "chat2api.db"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def clean_environment() -> dict[str, str]:
    """What a process needs, without settings that the machine may carry."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ}


@cache
def empty_database() -> bytes:
    """The file of a database without rows. Migrating takes each new server half a second otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(database_url(None, Path(folder)))
        migrate(database, version=version(), backups=Path(folder))
        database.close()
        return (Path(folder) / DATABASE).read_bytes()


@dataclass
class Process:
    """A child of the suite with its output in a file. `stop` ends it by pid."""

    command: list[str]
    output: Path
    environment: dict[str, str]
    cwd: Path = ROOT
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("ab") as out:
            self.child = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.child is not None
            if self.child.poll() is not None:
                pytest.fail(f"process ended with {self.child.returncode}:\n{self.said()}")
            if ready():
                return
            time.sleep(0.05)
        pytest.fail(f"not ready after {seconds} s:\n{self.said()}")

    def stop(self, seconds: float = 15) -> int:
        assert self.child is not None
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(5)
        if self.child.stdin is not None:
            self.child.stdin.close()
        return int(self.child.returncode)


class Simulator:
    """The embedded upstream and its control routes."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable,
            "-m",
            "chat2api.simulator",
            "--port",
            str(self.port),
            "--exit-with-stdin",
        ]
        self.process = Process(command, directory / "simulator.log", clean_environment())
        self.http = requests.Session()
        self.http.trust_env = False

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(lambda: "simulator listening on" in self.process.said())

    def control(self, path: str, body: Any = None) -> Any:
        """POST a JSON body to a control route, or GET it without one."""
        if body is None:
            response = self.http.get(f"{self.url}/_sim/{path}", timeout=10)
        else:
            response = self.http.post(f"{self.url}/_sim/{path}", json=body, timeout=10)
        assert response.status_code < 300, response.text
        return response.json()

    def reset(self) -> None:
        self.control("reset", {})
        self.control("config", {"pacing": 0})

    def stop(self) -> None:
        self.http.close()
        self.process.stop()


@dataclass
class Server:
    """chat2api itself, started for real. Its database is there, and empty."""

    directory: Path
    upstream: str
    tokens: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = self.directory / "data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        (self.data_dir / "token.txt").write_text("\n".join(self.tokens) + "\n")
        if "DATABASE_URL" not in self.settings and not (self.data_dir / DATABASE).exists():
            (self.data_dir / DATABASE).touch(mode=0o600)
            (self.data_dir / DATABASE).write_bytes(empty_database())
        environment = {
            **clean_environment(),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "AUTHORIZATION": KEY,
            "CHATGPT_BASE_URL": self.upstream,
            "DATA_DIR": str(self.data_dir),
            **self.settings,
        }
        command = [sys.executable, str(ROOT / "app.py"), *self.arguments]
        self.process = Process(
            command, self.directory / "server.log", environment, cwd=self.directory
        )

    def start(self) -> Server:
        self.process.start()
        self.process.wait_until(self.is_ready)
        return self

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=1).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def stop(self) -> int:
        return self.process.stop()

    @property
    def log(self) -> str:
        return self.process.said()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def client(self, key: str = KEY, **more: Any) -> openai.OpenAI:
        more.setdefault("max_retries", 0)
        return openai.OpenAI(base_url=self.base_url, api_key=key, timeout=30, **more)

    def post(self, body: Any, *, key: str | None = KEY, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers.update(more.pop("headers", {}))
        return requests.post(
            f"{self.base_url}/chat/completions", json=body, headers=headers, timeout=30, **more
        )


class OwnSimulator(Simulator):
    """One that a test may kill."""

    def stop(self) -> None:
        """Without the two seconds it would leave to connections that are open."""
        assert self.process.child is not None
        if self.process.child.poll() is None:
            self.kill()
        else:
            super().stop()

    def kill(self) -> None:
        """Ends it without a word: its master and its worker."""
        assert self.process.child is not None
        family = psutil.Process(self.process.child.pid).children(recursive=True)
        for process in (psutil.Process(self.process.child.pid), *family):
            process.kill()
        self.process.child.wait(5)
        self.process.stop()
        self.http.close()

    def start_again(self) -> None:
        self.process.start()
        self.process.wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            return self.http.get(f"{self.url}/_sim/health", timeout=1).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False
