"""The processes that are measured, and what they cost: started on free ports, ended by process id."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds (user and system) so far, and resident bytes now, of a process and all below it."""

    cpu_seconds: float
    resident_bytes: int


class Server:
    """A running process tree that listens on `port`."""

    def __init__(self, name: str, port: int, pid: int) -> None:
        self.name = name
        self.port = port
        self._root = psutil.Process(pid)

    def cost(self) -> Cost:
        cpu = resident = 0.0
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                # What ended meanwhile is counted by its parent.
                cpu += times.user + times.system + times.children_user + times.children_system
                resident += process.memory_info().rss
        return Cost(cpu, int(resident))

    def cpu_seconds(self, action: Callable[[], object]) -> float:
        before = self.cost().cpu_seconds
        action()
        return self.cost().cpu_seconds - before


@dataclass(frozen=True, slots=True)
class Upstream:
    """The simulator: where it is, and the access tokens it takes."""

    url: str
    tokens: tuple[str, ...]

    def configure(self, **settings: Any) -> None:
        self._call("/_sim/config", settings)

    def conversations(self, since: int = 0) -> list[dict[str, Any]]:
        """What it recorded of conversation calls after id `since`, oldest first."""
        answer = self._call(f"/_sim/requests?endpoint=conversation&since={since}")
        requests: list[dict[str, Any]] = answer["requests"]
        return requests

    def _call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=10) as answer:
            return json.load(answer)


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:
    """A simulator that replays baked bytes and asks for no more than it must."""
    with tempfile.TemporaryDirectory() as directory:
        tokens_file = Path(directory, "tokens")
        command = [sys.executable, "-m", "chat2api.simulator", "--port", "0"]
        command += ["--tokens-file", str(tokens_file), "--exit-with-stdin"]
        for setting in ("cheap=true", "scenario=baked", "sentinel=off", "first_token_seconds=0"):
            command += ["--set", setting]
        with _process(command, {}, directory) as (process, log):
            url = _wait(lambda: re.search(r"listening on (\S+)", log.read_text()), process, log)
            yield Upstream(url.group(1), tuple(tokens_file.read_text().split()))


@contextlib.contextmanager
def chat2api(source: Upstream, **settings: str) -> Iterator[Server]:
    """The server as it is started by `python app.py`: one worker, every other setting as it comes."""
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory, "data")
        data.mkdir()
        data.joinpath("token.txt").write_text("\n".join(source.tokens))
        port = _free_port()
        environ = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "DATA_DIR": str(data),
            "AUTHORIZATION": KEY,
            "CHATGPT_BASE_URL": source.url,
            "ACCOUNT_CONCURRENCY": "0",
            "RETRY_TIMES": "0",
            **settings,
        }
        command = [sys.executable, str(ROOT / "app.py")]
        with _process(command, environ, directory) as (process, log):
            yield _listening("chat2api", port, process, log)


@contextlib.contextmanager
def floor(source: Upstream) -> Iterator[Server]:
    """The bare pass-through of `benchmarks.floor`."""
    with tempfile.TemporaryDirectory() as directory:
        port = _free_port()
        command = [sys.executable, "-m", "benchmarks.floor", str(port), source.url]
        with _process(command, {}, directory) as (process, log):
            yield _listening("floor", port, process, log)


KEY = "sk-" + secrets.token_hex(12)


def _listening(name: str, port: int, process: subprocess.Popen[bytes], log: Path) -> Server:
    def answers() -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
            return True
        return False

    _wait(answers, process, log)
    return Server(name, port, process.pid)


@contextlib.contextmanager
def _process(
    command: list[str], environ: Mapping[str, str], directory: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The process and its log. It does not see this environment, so that nobody's settings leak in."""
    log = Path(directory, "log")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**kept, **environ, "PYTHONPATH": str(ROOT)},
        )
    assert process.stdin is not None
    try:
        yield process, log
    finally:
        process.stdin.close()
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait(condition: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> Any:
    give_up = time.monotonic() + _START_SECONDS
    while not (result := condition()):
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    return result


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
