"""`accounts export`: three forms, each of which can be imported again; nothing by accident."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from chat2api.cli.accounts import accounts
from tests.cli.conftest import Run, access, refresh

TEAM = "0aaaaaaa-1111-4222-8333-444444444444"
FORMS = ("json", "auth.json", "tokens")


@pytest.fixture
def filled(invoke: Run) -> None:
    invoke(accounts, "add", input=f"{access('a')}\n{refresh('b')},{TEAM}\n")


@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_known_where_it_came_from(
    invoke: Run, filled: None, tmp_path: Path, form: str
) -> None:
    file = tmp_path / "out"
    written = invoke(accounts, "export", "--all", "--format", form, "--output", str(file), "--yes")
    assert (written.exit_code, written.stdout) == (0, "")
    assert written.stderr == f"2 accounts written to {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = json.loads(invoke(accounts, "import", str(file), "--json").stdout)["paths"][0]
    assert (again["unchanged"], again["added"], again["skipped"]) == (2, 0, [])


@pytest.mark.parametrize("form", FORMS)
def test_an_export_makes_the_same_accounts_elsewhere(
    invoke: Run, filled: None, tmp_path: Path, form: str
) -> None:
    file, elsewhere = tmp_path / "out", {"DATA_DIR": str(tmp_path / "elsewhere")}
    invoke(accounts, "export", "--all", "--format", form, "--output", str(file), "--yes")
    invoke(accounts, "import", str(file), **elsewhere)
    first, second = (
        [(one["token"], one["workspace"], one["renewable"]) for one in json.loads(listed.stdout)]
        for listed in (
            invoke(accounts, "list", "--json"),
            invoke(accounts, "list", "--json", **elsewhere),
        )
    )
    assert first == second


def test_it_asks_first(invoke: Run, filled: None, tmp_path: Path) -> None:
    file = tmp_path / "out"
    refused = invoke(accounts, "export", "--all", "--output", str(file), input="n\n")
    assert refused.exit_code == 1
    assert f"Write 2 accounts with tokens in clear to {file}?" in refused.stderr
    assert not file.exists()
    agreed = invoke(accounts, "export", "--all", "--output", str(file), input="y\n")
    assert agreed.exit_code == 0
    assert file.exists()


def test_the_terminal_needs_yes(invoke: Run, filled: None) -> None:
    refused = invoke(accounts, "export", "--all", "--output", "-", "--format", "tokens")
    assert refused.exit_code == 2
    assert "eyJ" not in refused.output
    shown = invoke(accounts, "export", "--all", "--output", "-", "--format", "tokens", "--yes")
    assert shown.stdout == f"{access('a')}\n{refresh('b')},{TEAM}\n"


def test_a_file_that_is_there_is_left_alone(invoke: Run, filled: None, tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine")
    refused = invoke(accounts, "export", "--all", "--output", str(file), "--yes")
    assert refused.exit_code == 1
    assert file.read_text() == "mine"


def test_some_of_them(invoke: Run, filled: None) -> None:
    listed = json.loads(invoke(accounts, "list", "--json").stdout)
    one = invoke(accounts, "export", listed[0]["id"], "--output", "-", "--yes")
    assert [entry["access_token"] for entry in json.loads(one.stdout)] == [access("a")]
    none = invoke(accounts, "export", "acc_none", "--output", "-", "--yes")
    assert (none.exit_code, none.stdout) == (1, "")
    assert invoke(accounts, "export", "--output", "-", "--yes").exit_code == 2
