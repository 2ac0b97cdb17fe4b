"""`doctor`: its lines, its JSON, its exit code, and that it changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chat2api.cli.accounts import accounts
from chat2api.cli.doctor import doctor
from tests.cli.conftest import Run, Upstream, access

CHECKS = [
    *("configuration", "admin password", "data directory", "secret key", "database"),
    *("encryption key", "open files", "port", "proof of work", "upstream"),
    *("token endpoint", "clock"),
]


@pytest.fixture
def ask(invoke: Run, upstream: Upstream) -> Run:
    well = {"PORT": "0", "ADMIN_PASSWORD": "a long admin password", "WORKER_CONNECTIONS": "8"}
    return lambda *arguments, **environ: invoke(
        doctor, *arguments, **{**upstream.environ, **well, **environ}
    )


def test_all_is_well(ask: Run, invoke: Run, tmp_path: Path) -> None:
    invoke(accounts, "add", input=access("a"))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    told = ask("--json")
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    assert document["ok"] is True
    assert [one["check"] for one in document["checks"]] == CHECKS
    assert {one["cure"] for one in document["checks"] if one["grade"] == "ok"} == {""}
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_failure_and_its_cure(ask: Run) -> None:
    told = ask(PROXY_URL="http://u:planted@127.0.0.1:1")
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("fail  upstream: "))
    assert "through http://***@127.0.0.1:1" in lines[at]
    assert lines[at + 1] == "      -> Look at PROXY_URL: its address, user and password."
    assert lines[-1].endswith(", 1 failed")
    assert "planted" not in told.output


def test_a_mistake_in_the_settings_ends_it(ask: Run) -> None:
    """D14."""
    told = ask(PORT="x")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[0].startswith("fail  configuration: PORT=x: must be")
    assert told.stdout.splitlines()[-1] == "0 ok, 0 to look at, 1 failed"


def test_help_has_an_example(ask: Run) -> None:
    assert "Example: chat2api doctor" in ask("--help").stdout
