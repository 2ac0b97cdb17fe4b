"""docs/cli.md: every example is run as it is written, in a directory that is as the page assumes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "cli.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_READY = re.compile(r"simulator listening on (http://\S+)")


def examples() -> list[str]:
    lines = [
        line for block in _BLOCK.findall(PAGE.read_text("utf-8")) for line in block.split("\n")
    ]
    assert all(line.startswith("$ ") for line in lines if line)
    return [line.removeprefix("$ ") for line in lines if line]


def account(url: str, name: str) -> dict[str, str]:
    wish = {"name": name, "refresh": "rt"}
    made: dict[str, str] = requests.post(f"{url}/_sim/accounts", json=wish, timeout=10).json()
    return made


def prepare(folder: Path, url: str) -> None:
    (folder / "old").mkdir()
    anna, bob = account(url, "anna"), account(url, "bob")
    (folder / "old" / "token.txt").write_text(anna["refresh_token"] + "\n")
    tokens = {name: bob[name] for name in ("access_token", "refresh_token")}
    (folder / "old" / "auth.json").write_text(json.dumps({"tokens": tokens}))
    settings = {
        "CHATGPT_BASE_URL": url,
        "OPENAI_AUTH_TOKEN_URL": f"{url}/oauth/token",
        "PORT": "0",
        "REFRESH_PER_SECOND": "100",
    }
    (folder / ".env").write_text("".join(f"{name}={text}\n" for name, text in settings.items()))


def test_the_examples_work_as_written(start_server: Callable[..., Any], tmp_path: Path) -> None:
    simulator = start_server("-m", "chat2api.simulator", "--port", "0")
    prepare(tmp_path, simulator.wait_until(lambda: _READY.search(simulator.out))[1])
    tools = tmp_path / "bin"
    tools.mkdir()
    command = tools / "chat2api"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m chat2api "$@"\n')
    command.chmod(0o755)
    environ = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    done = examples()
    for example in done:
        run = subprocess.run(
            example,
            shell=True,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, f"{example}\n{run.stdout}{run.stderr}"
        assert not re.search(r"eyJ[\w-]{20}|rt_[\w-]{10}", run.stdout + run.stderr), example
    assert len(done) > 10
    simulator.end()


def test_every_command_is_on_the_page() -> None:
    from chat2api.cli.accounts import accounts

    text = PAGE.read_text("utf-8")
    missing = [name for name in accounts.commands if not re.search(rf"\b{name}\b", text)]
    assert missing == []
