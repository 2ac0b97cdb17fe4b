"""Commands as real processes: beside a running server, at a terminal, and as other users see them."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-test-key-of-the-suite"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiJwbGFudGVkIn0.cGxhbnRlZA"
OTHER = "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiJvdGhlciJ9.cGxhbnRlZA"
COMMAND = (sys.executable, "-m", "chat2api")


def environ(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path / "data"), **more}


def started(tmp_path: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, env=environ(tmp_path), text=True,
        **{**streams, **options},
    )  # fmt: skip


def run(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, env=environ(tmp_path, **more), timeout=60,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_token_is_in_no_list_of_processes(tmp_path: Path) -> None:
    adding = started(tmp_path, "accounts", "add")
    assert adding.stdin is not None
    adding.stdin.write(TOKEN + "\n")
    adding.stdin.flush()  # it goes on reading to the end
    process = psutil.Process(adding.pid)
    seen = " ".join(process.cmdline()) + repr(process.environ())
    out, err = adding.communicate(timeout=60)
    assert adding.returncode == 0, err
    assert re.fullmatch(r"acc_[0-9a-f]{16}  added\n", out)
    assert all("eyJ" not in text for text in (seen, out, err))


def test_tokens_pasted_at_a_terminal_are_not_shown(tmp_path: Path) -> None:
    controlling, terminal = pty.openpty()
    adding = started(tmp_path, "accounts", "add", stdin=terminal, start_new_session=True)
    assert adding.stderr is not None
    told = adding.stderr.readline()
    os.write(controlling, f"{TOKEN}\n{OTHER}\n\n".encode())
    out, err = adding.communicate(timeout=60)
    assert adding.returncode == 0, err
    assert out.count("  added\n") == 2
    assert err.splitlines() == ["1 line read", "2 lines read"]
    os.set_blocking(controlling, False)
    with pytest.raises(BlockingIOError):  # nothing was echoed
        os.read(controlling, 1)
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    assert "eyJ" not in told + out + err
    os.close(terminal)
    os.close(controlling)


def test_commands_work_beside_a_server(tmp_path: Path, start_server: Callable[..., Any]) -> None:
    simulator = start_server("-m", "chat2api.simulator", "--port", "0")
    ready = re.compile(r"simulator listening on (http://\S+)")
    url = simulator.wait_until(lambda: ready.search(simulator.out))[1]
    more = {"CHATGPT_BASE_URL": url, "OPENAI_AUTH_TOKEN_URL": f"{url}/oauth/token"}
    server = start_server(
        *(str(ROOT / "app.py"), "--host", "127.0.0.1", "--port", "0"),
        cwd=tmp_path, **environ(tmp_path, AUTHORIZATION=KEY, **more),
    )  # fmt: skip
    wish = {"name": "anna", "refresh": "rt"}
    made = requests.post(f"{url}/_sim/accounts", json=wish, timeout=10).json()
    (tmp_path / "token.txt").write_text(made["refresh_token"])
    assert server.get("/healthz")[0] == 200
    assert run(tmp_path, "accounts", "import", "token.txt", **more).returncode == 0
    answer = requests.post(
        f"http://127.0.0.1:{server.port}/v1/chat/completions",
        json={"model": "auto", "messages": [{"role": "user", "content": "Hello"}]},
        headers={"Authorization": f"Bearer {KEY}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    refreshed = run(tmp_path, "accounts", "refresh", "--all", "--json", **more)
    assert json.loads(refreshed.stdout)["renewed"] == 1, refreshed.stderr
    assert run(tmp_path, "backup", "b.tar.gz").returncode == 0
    refused = run(tmp_path, "restore", "b.tar.gz")
    assert (refused.returncode, "A server runs on this database" in refused.stderr) == (1, True)
    listed = json.loads(run(tmp_path, "accounts", "list", "--json").stdout)
    assert [(one["label"], one["state"]) for one in listed] == [("anna@example.com", "active")]
    server.end()
    simulator.end()


def test_the_commands_are_listed(tmp_path: Path) -> None:
    shown = run(tmp_path, "--help").stdout
    names = ("accounts", "backup", "config", "doctor", "keys", "restore", "serve")
    assert [name for name in names if not re.search(rf"^  {name} ", shown, re.MULTILINE)] == []


def test_log_lines_are_redacted_and_no_trace_is_shown(tmp_path: Path) -> None:
    """E14: a damaged row is told of by a log line; the others are listed."""
    (tmp_path / "token.txt").write_text(f"{TOKEN}\n{OTHER}\n")
    assert run(tmp_path, "accounts", "import", "token.txt").returncode == 0
    with closing(sqlite3.connect(tmp_path / "data" / "chat2api.db")) as connection, connection:
        connection.execute("UPDATE credentials SET access_token = 'x:y' WHERE rowid = 1")
    listed = run(tmp_path, "accounts", "list", "--json")
    assert [one["token"] for one in json.loads(listed.stdout)].count("***") == 1
    assert re.search(r" error .* a sealed text of an account cannot be opened", listed.stderr)
    assert "Traceback" not in listed.stderr
