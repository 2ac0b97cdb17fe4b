"""`accounts list` and the changes: pausing, removing, lifting limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from chat2api.cli.accounts import accounts
from chat2api.secret import Secret
from chat2api.store.audit import Audit
from chat2api.store.engine import database_url
from chat2api.store.opening import Store, StoreOptions, open_store
from chat2api.store.tables import accounts as table
from tests.cli.conftest import SECRET_KEY, Run, access, refresh

COMMANDS = (
    *("import", "add", "list", "test", "refresh", "export"),
    *("disable", "enable", "remove", "restore", "lift"),
)


def opened(tmp_path: Path) -> Store:
    folder = tmp_path / "data"
    return open_store(StoreOptions(database_url(None, folder), folder, (Secret(SECRET_KEY),)))


def shown(invoke: Run, *options: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(invoke(accounts, "list", "--json", *options).stdout)
    return listed


@pytest.fixture
def ids(invoke: Run) -> list[str]:
    invoke(accounts, "add", input=f"{access('a')}\n{refresh('b')}\n")
    return [one["id"] for one in shown(invoke)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(invoke: Run, name: str) -> None:
    helped = invoke(accounts, name, "--help")
    assert helped.exit_code == 0
    assert f"Example: chat2api accounts {name}" in helped.stdout


def test_the_commands_are_these() -> None:
    assert sorted(accounts.commands) == sorted(COMMANDS)


def test_an_account_in_json(invoke: Run, ids: list[str]) -> None:
    assert shown(invoke)[0] == {
        "id": ids[0],
        "label": "",
        "kind": "web",
        "plan": "",
        "workspace": None,
        "state": "active",
        "until": None,
        "reason": "",
        "pooled": True,
        "renewable": False,
        "expires_at": "2030-03-17T17:46:40+00:00",
        "refreshed_at": None,
        "last_used_at": None,
        "removed_at": None,
        "model_limits": {},
        "source": "cli",
        "proxy": "",
        "note": "",
        "token": f"eyJhbG...{access('a')[-4:]}",
    }


def test_the_table(invoke: Run, ids: list[str]) -> None:
    lines = invoke(accounts, "list").stdout.splitlines()
    assert lines[0].split() == [
        *("ID", "ACCOUNT", "PLAN", "STATE", "RENEWABLE"),
        *("EXPIRES", "LAST", "USED", "SOURCE", "TOKEN"),
    ]
    assert [line.split() for line in lines[1:]] == [
        [
            *(ids[0], "-", "-", "active", "no", "2030-03-17T17:46:40+00:00", "-", "cli"),
            f"eyJhbG...{access('a')[-4:]}",
        ],
        [ids[1], "-", "-", "active", "yes", "-", "-", "cli", "rt_mad...oken"],
    ]


def test_a_limit_shows_until_when(invoke: Run, ids: list[str], tmp_path: Path) -> None:
    store = opened(tmp_path)
    limit = table.update().where(table.c.account_id == ids[0])
    values = {"cooling_until": 2_000_000_000.0, "limited": True, "selectable": False}
    store.database.write(lambda connection: connection.execute(limit.values(values)))
    store.close()
    assert "limited until 2033-05-18T03:33:20+00:00" in invoke(accounts, "list").stdout
    done = invoke(accounts, "lift", ids[0])
    assert (done.exit_code, done.stdout) == (0, "1 account free of limits.\n")
    assert shown(invoke)[0]["state"] == "active"


def test_one_that_only_serves_seeds_says_so(invoke: Run, ids: list[str], tmp_path: Path) -> None:
    store = opened(tmp_path)
    seat = table.update().where(table.c.account_id == ids[0]).values(pooled=False)
    store.database.write(lambda connection: connection.execute(seat))
    store.close()
    assert "active, for seeds only" in invoke(accounts, "list").stdout
    assert [one["pooled"] for one in shown(invoke)] == [False, True]


def test_pausing(invoke: Run, ids: list[str]) -> None:
    assert invoke(accounts, "disable", *ids).stdout == "2 accounts disabled.\n"
    assert [one["state"] for one in shown(invoke)] == ["disabled", "disabled"]
    assert invoke(accounts, "enable", ids[1]).stdout == "1 account enabled.\n"
    assert [one["state"] for one in shown(invoke)] == ["disabled", "active"]


def test_removing_and_bringing_back(invoke: Run, ids: list[str]) -> None:
    assert invoke(accounts, "remove", ids[0]).exit_code == 0
    assert [one["id"] for one in shown(invoke)] == [ids[1]]
    (gone,) = shown(invoke, "--removed")
    assert gone["id"] == ids[0]
    assert gone["removed_at"] is not None
    assert invoke(accounts, "restore", ids[0]).stdout == "1 account restored.\n"
    assert [one["id"] for one in shown(invoke)] == ids


def test_failed_ones(invoke: Run, ids: list[str], tmp_path: Path) -> None:
    (tmp_path / "error_token.txt").write_text(refresh("b") + "\n")
    invoke(accounts, "import", str(tmp_path / "error_token.txt"))
    (failed,) = shown(invoke, "--failed")
    assert (failed["id"], failed["state"]) == (ids[1], "needs_login")
    assert failed["reason"] == "listed among the failed tokens"


@pytest.mark.parametrize("name", ["disable", "enable", "remove", "lift"])
def test_an_unknown_id_changes_nothing(invoke: Run, ids: list[str], name: str) -> None:
    before = shown(invoke)
    refused: Result = invoke(accounts, name, ids[0], "acc_none")
    assert refused.exit_code == 1
    assert refused.stderr == "Error: There is no account 'acc_none'; nothing was changed.\n"
    assert shown(invoke) == before


def test_only_removed_ones_are_restored(invoke: Run, ids: list[str]) -> None:
    refused = invoke(accounts, "restore", ids[0])
    assert refused.exit_code == 1
    assert "There is no removed account" in refused.stderr


def test_changes_are_noted(invoke: Run, ids: list[str], tmp_path: Path) -> None:
    """G13."""
    invoke(accounts, "disable", *ids)
    invoke(accounts, "remove", ids[1])
    store = opened(tmp_path)
    entries = Audit(store).recent()
    store.close()
    assert [(one.actor, one.action, one.target) for one in entries] == [
        ("cli", "remove accounts", ids[1]),
        ("cli", "disable accounts", ", ".join(ids)),
        ("cli", "add accounts", ", ".join(ids)),
    ]


def test_an_empty_list(invoke: Run) -> None:
    hint = "There are no accounts yet. See `accounts add --help` and `accounts import --help`.\n"
    assert invoke(accounts, "list").stdout == hint
    assert invoke(accounts, "list", "--failed").stdout == "There are no such accounts.\n"


def test_two_lists_at_once_are_a_mistake(invoke: Run) -> None:
    assert invoke(accounts, "list", "--failed", "--removed").exit_code == 2


def test_exit_codes(invoke: Run) -> None:
    """D14; a database that is away."""
    assert invoke(accounts, "list", PORT="x").exit_code == 78
    away = invoke(accounts, "list", DATABASE_URL="sqlite:////proc/nowhere/x.db")
    assert away.exit_code == 69
    assert "Traceback" not in away.output
    assert invoke(accounts, "disable").exit_code == 2
