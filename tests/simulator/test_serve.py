"""The simulator as a process: how it starts, and how it ends with whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PARENT = """
import subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "chat2api.simulator", "--port", "0", "--exit-with-stdin"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
)
print(child.pid, child.stdout.readline().decode(), flush=True)
time.sleep(60)
"""


def test_tokens_are_written_before_it_is_ready(start: Any, tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    live = start("--tokens-file", str(file))
    tokens = [one["access_token"] for one in live.control("/accounts")["accounts"]]
    assert file.read_text().splitlines() == tokens
    assert all(token.startswith("eyJhbGciOiJSUzI1NiI") for token in tokens)
    assert file.stat().st_mode & 0o077 == 0


def test_it_ends_when_stdin_closes(start: Any) -> None:
    live = start()
    began = time.monotonic()
    live.process.stdin.close()
    assert live.process.wait(timeout=5) == 0
    assert time.monotonic() - began < 3


def test_it_ends_on_sigterm_with_a_stream_running(start: Any) -> None:
    live = start("--set", "sentinel=off")
    caller = live.caller()
    body = caller.body("/sim text fault=quiet seconds=60")
    connection = live.open("POST", "/backend-api/f/conversation", caller.headers, body)
    assert connection.getresponse().status == 200
    live.process.terminate()
    assert live.process.wait(timeout=6) == 0
    connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline().split()[0])
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(timeout=5)
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
