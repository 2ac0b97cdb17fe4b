"""`python -m chat2api keys` over a store in a directory of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chat2api.cli.keys import described, keys, listing, seconds_of
from chat2api.secret import Secret
from chat2api.store.api_keys import ApiKey, ApiKeys
from chat2api.store.audit import Audit
from chat2api.store.engine import database_url
from chat2api.store.opening import StoreOptions, open_store

Run = Callable[..., Result]
SECRET_KEY = "a secret key of the suite"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """run(*arguments, **environ): the command, with DATA_DIR in a directory of its own."""

    def go(*arguments: str, **environ: str) -> Result:
        place = {"DATA_DIR": str(tmp_path / "data"), "SECRET_KEY": SECRET_KEY, **environ}
        return CliRunner().invoke(keys, arguments, obj=place)

    return go


def listed(run: Run) -> Any:
    return json.loads(run("list", "--json").stdout)


def test_a_key_is_shown_once(run: Run) -> None:
    made = run("create", "--label", "Bob")
    assert made.exit_code == 0
    assert re.fullmatch(r"sk-[A-Za-z0-9_-]{43}\n", made.stdout)
    key = made.stdout.strip()
    (shown,) = listed(run)
    assert shown.pop("created_at")
    assert shown == {
        "id": shown["id"],
        "label": "Bob",
        "kind": "named",
        "hint": f"sk-…{key[-4:]}",
        "state": "active",
        "scopes": [],
        "models": [],
        "requests_per_minute": None,
        "daily_tokens": None,
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    assert f"Key {shown['id']} (Bob). It is shown this once:" in made.stderr
    for more in (run("list"), run("list", "--json"), run("revoke", shown["id"])):
        assert key not in more.output


def test_the_first_key_steps_back_for_configured_ones(run: Run, tmp_path: Path) -> None:
    run("list")
    folder = tmp_path / "data"
    store = open_store(StoreOptions(database_url(None, folder), folder, (Secret(SECRET_KEY),)))
    ApiKeys(store).first_key(lambda secret: None)
    store.close()
    assert listed(run)[0]["state"] == "active"
    table = run("list", AUTHORIZATION="sk-configured-one")
    assert "not in force: keys are configured in environment AUTHORIZATION" in table.stdout
    (shown,) = json.loads(run("list", "--json", AUTHORIZATION="sk-configured-one").stdout)
    assert shown["state"] == "not in force"


def test_every_limit_has_an_option(run: Run) -> None:
    options = ["--scope", "chat", "--scope", "models", "--model", "gpt-*", "--expires", "30d"]
    options += ["--rpm", "5", "--daily-tokens", "1000"]
    assert run("create", "--label", "Bob", *options).exit_code == 0
    (shown,) = listed(run)
    assert (shown["scopes"], shown["models"]) == (["chat", "models"], ["gpt-*"])
    assert (shown["requests_per_minute"], shown["daily_tokens"]) == (5, 1000)
    assert shown["created_at"] < shown["expires_at"]


def test_a_key_is_revoked(run: Run) -> None:
    run("create", "--label", "Bob")
    (shown,) = listed(run)
    revoked = run("revoke", shown["id"])
    assert (revoked.exit_code, revoked.stdout) == (0, f"Key {shown['id']} is revoked.\n")
    assert listed(run)[0]["state"] == "revoked"
    assert run("revoke", shown["id"]).exit_code == 0


def test_changes_are_noted(run: Run, tmp_path: Path) -> None:
    """G13."""
    made = run("create", "--label", "Bob", "--rpm", "5")
    (shown,) = listed(run)
    run("revoke", shown["id"])
    folder = tmp_path / "data"
    store = open_store(StoreOptions(database_url(None, folder), folder, (Secret(SECRET_KEY),)))
    entries = Audit(store).recent()
    store.close()
    assert [(one.actor, one.action, one.target) for one in entries] == [
        ("cli", "revoke key", shown["id"]),
        ("cli", "create key", shown["id"]),
    ]
    assert entries[1].detail["limits"]["requests_per_minute"] == 5
    assert made.stdout.strip() not in repr(entries)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create"], "Missing option '--label'"),
        (["create", "--label", "Bob", "--scope", "all"], "Scopes are chat, "),
        (["create", "--label", "Bob", "--rpm", "0"], "requests_per_minute must be"),
        (["create", "--label", "Bob", "--daily-tokens", "-5"], "daily_tokens must be"),
        (["create", "--label", "Bob", "--daily-tokens", "nan"], "not a valid integer"),
        (["create", "--label", "Bob", "--expires", "soon"], "such as 30d"),
        (["revoke", "key_none"], "There is no such key."),
    ],
)
def test_mistakes_are_told_plainly(run: Run, arguments: list[str], told: str) -> None:
    refused = run(*arguments)
    assert refused.exit_code in (1, 2)
    assert told in refused.stderr
    assert "Traceback" not in refused.output
    assert listed(run) == []


def test_a_mistake_in_the_settings(run: Run) -> None:
    refused = run("list", PORT="x")
    assert refused.exit_code == 78
    assert "PORT=x: must be a whole number" in refused.stderr


def test_another_secret_key_is_told(run: Run) -> None:
    run("create", "--label", "Bob")
    refused = run("list", SECRET_KEY="another secret key of the suite")
    assert refused.exit_code == 1
    assert "sealed with another key" in refused.stderr


def test_an_empty_list(run: Run) -> None:
    assert run("list").stdout == "There are no keys.\n"


def test_the_table() -> None:
    key = ApiKey(
        "key_1", "Bob", "named", "sk-…ssss", "h", frozenset({"models", "chat"}), ("gpt-*",),
        expires_at=60.0, requests_per_minute=5,
    )  # fmt: skip
    rows = [described(key, 30.0), described(key, 60.0)]
    assert listing(rows).splitlines() == [
        "ID     LABEL  KEY       STATE    SCOPES       MODELS  PER MINUTE  TOKENS A DAY  "
        "EXPIRES                    LAST USED",
        "key_1  Bob    sk-…ssss  active   chat,models  gpt-*   5           -             "
        "1970-01-01T00:01:00+00:00  -",
        "key_1  Bob    sk-…ssss  expired  chat,models  gpt-*   5           -             "
        "1970-01-01T00:01:00+00:00  -",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), (" 12H ", 43_200), ("8w", 4_838_400), ("5m", 300)],
)
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "0d", "1.5d", "1y", "1d1h", "9999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        seconds_of(text)
