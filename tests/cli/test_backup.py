"""`backup` and `restore`: under write load, to another machine, with the wrong key."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chat2api.cli.accounts import accounts
from chat2api.cli.archive import DATABASE, MANIFEST
from chat2api.cli.backup import backup, restore
from chat2api.settings.version import version
from tests.cli.conftest import Run, access, refresh

NO_KEY = {"SECRET_KEY": ""}

# Accounts come in without an end, each with its credential in one transaction.
WRITER = """
import sys
from pathlib import Path
from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store.engine import database_url
from chat2api.store.intake import Intake
from chat2api.store.opening import StoreOptions, open_store

folder = Path(sys.argv[1])
intake = Intake(open_store(StoreOptions(database_url(None, folder), folder)))
number = 0
while True:
    number += 1
    new = [NewAccount(refresh_token=Secret(f"rt_planted_{number}_{i}_refresh")) for i in range(20)]
    intake.add(new, "load", at_once=True)
    print(number, flush=True)
"""


def listed(invoke: Run, **environ: str) -> Any:
    return json.loads(invoke(accounts, "list", "--json", **environ).stdout)


def exported(invoke: Run, **environ: str) -> str:
    return invoke(accounts, "export", "--all", "--output", "-", "--yes", **environ).stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def filled(invoke: Run, data: Path) -> None:
    """Two accounts, sealed with a key file."""
    invoke(accounts, "add", input=f"{access('a')}\n{refresh('b')}\n", **NO_KEY)
    assert (data / "secret.key").exists()


def test_a_backup_is_restored_elsewhere(
    invoke: Run, filled: None, data: Path, tmp_path: Path
) -> None:
    """E13."""
    done = invoke(backup, "b.tar.gz", **NO_KEY)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("b.tar.gz: schema 0003, ")
    assert str(data / "secret.key") in done.stderr
    assert stat.S_IMODE(Path("b.tar.gz").stat().st_mode) == 0o600
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(data / "secret.key", elsewhere)
    there = {"DATA_DIR": str(elsewhere), **NO_KEY}
    back = invoke(restore, "b.tar.gz", **there)
    assert back.exit_code == 0, back.output
    assert back.stdout.startswith(f"{elsewhere / DATABASE}: 2 accounts, as of 20")
    assert listed(invoke, **there) == listed(invoke, **NO_KEY)
    assert exported(invoke, **there) == exported(invoke, **NO_KEY)
    assert sorted(path.name for path in elsewhere.iterdir()) == [DATABASE, "secret.key"]
    assert stat.S_IMODE((elsewhere / DATABASE).stat().st_mode) == 0o600


def test_it_is_consistent_under_write_load(
    invoke: Run, filled: None, data: Path, tmp_path: Path
) -> None:
    """E13."""
    command = [sys.executable, "-c", WRITER, str(data)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environ) as writer:
        assert writer.stdout is not None
        try:
            writer.stdout.readline()
            done = [invoke(backup, f"{number}.tar.gz", **NO_KEY) for number in range(3)]
            assert writer.stdout.readline()  # it went on meanwhile
        finally:
            writer.kill()
    assert [one.exit_code for one in done] == [0, 0, 0], done[0].output
    numbers = []
    for number in range(3):
        there = tmp_path / f"there{number}"
        there.mkdir()
        shutil.copy(data / "secret.key", there)
        back = invoke(restore, f"{number}.tar.gz", DATA_DIR=str(there), **NO_KEY)
        assert back.exit_code == 0, back.output
        numbers.append(len(listed(invoke, DATA_DIR=str(there), **NO_KEY)))
        assert facts(there / DATABASE) == (["ok"], [])
    assert all(number >= 22 and (number - 2) % 20 == 0 for number in numbers)
    assert numbers == sorted(numbers)


def facts(path: Path) -> tuple[list[str], list[str]]:
    """What SQLite's check says, and accounts without a credential."""
    orphans = (
        "SELECT account_id FROM accounts WHERE credential_id NOT IN "
        "(SELECT credential_id FROM credentials)"
    )
    with closing(sqlite3.connect(path)) as connection:
        checked = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        return checked, [row[0] for row in connection.execute(orphans)]


def test_secrets_stay_sealed(invoke: Run, filled: None, data: Path) -> None:
    """E13, G10: no token and no key is in the archive."""
    Path("conf").mkdir()
    Path("conf/app.dev.yaml").write_text("auth:\n  access_tokens: [sk-planted-in-yaml]\n")
    invoke(backup, "b.tar.gz", **NO_KEY)
    with tarfile.open("b.tar.gz") as tar:
        contents = {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]
    assert list(contents) == [MANIFEST, DATABASE]
    key = (data / "secret.key").read_bytes().strip()
    for secret in (access("a").encode(), refresh("b").encode(), key, b"sk-planted"):
        assert all(secret not in content for content in contents.values())
    manifest = json.loads(contents[MANIFEST])
    assert (manifest["version"], manifest["schema"]) == (version(), "0003")


def test_the_wrong_key_is_refused(invoke: Run, filled: None, tmp_path: Path) -> None:
    """E13, E11."""
    invoke(backup, "b.tar.gz", **NO_KEY)
    there = {"DATA_DIR": str(tmp_path / "there")}
    other = invoke(restore, "b.tar.gz", **there, SECRET_KEY="another key of the suite")
    assert other.exit_code == 1
    assert "sealed with another key" in other.stderr
    none = invoke(restore, "b.tar.gz", **there, **NO_KEY)
    assert none.exit_code == 1
    assert "Put the secret.key of the server that was backed up" in none.stderr
    assert list((tmp_path / "there").iterdir()) == []


def test_accounts_are_not_lost_by_accident(invoke: Run, filled: None, data: Path) -> None:
    invoke(backup, "b.tar.gz", **NO_KEY)
    invoke(accounts, "add", input=access("c"), **NO_KEY)
    refused = invoke(restore, "b.tar.gz", **NO_KEY)
    assert refused.exit_code == 1
    assert "3 accounts would be replaced: use --force" in refused.stderr
    assert len(listed(invoke, **NO_KEY)) == 3
    forced = invoke(restore, "b.tar.gz", "--force", **NO_KEY)
    assert forced.exit_code == 0, forced.output
    kept = data / f"{DATABASE}.before-restore"
    assert f"The database of before is {kept}." in forced.stdout
    assert len(listed(invoke, **NO_KEY)) == 2
    assert len(listed(invoke, DATABASE_URL=f"sqlite:///{kept}", **NO_KEY)) == 3


def test_a_running_server_is_noticed(invoke: Run, filled: None, place: dict[str, str]) -> None:
    from chat2api.cli.opened import opened_store
    from chat2api.store.workers import Workers

    invoke(backup, "b.tar.gz", **NO_KEY)
    with opened_store(None, {**place, **NO_KEY}) as store:
        Workers(store).renew()
    refused = invoke(restore, "b.tar.gz", **NO_KEY)
    assert refused.exit_code == 1
    assert "A server runs on this database" in refused.stderr
    forced = invoke(restore, "b.tar.gz", "--force", **NO_KEY)
    assert forced.exit_code == 0
    assert "restart it now" in forced.stderr


def test_a_newer_schema_is_refused(invoke: Run, filled: None, data: Path, tmp_path: Path) -> None:
    """E10."""
    with closing(sqlite3.connect(data / DATABASE)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert invoke(backup, "b.tar.gz", **NO_KEY).exit_code == 0
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(data / "secret.key", there)
    refused = invoke(restore, "b.tar.gz", DATA_DIR=str(there), **NO_KEY)
    assert refused.exit_code == 1
    assert "schema 9999" in refused.stderr
    assert [path.name for path in there.iterdir()] == ["secret.key"]


def test_a_damaged_file_is_refused(invoke: Run, filled: None, data: Path) -> None:
    invoke(backup, "b.tar.gz", **NO_KEY)
    whole = Path("b.tar.gz").read_bytes()
    Path("b.tar.gz").write_bytes(whole[: len(whole) // 2])
    before = (data / DATABASE).read_bytes()
    refused = invoke(restore, "b.tar.gz", "--force", **NO_KEY)
    assert refused.exit_code == 1
    assert "b.tar.gz cannot be restored: it " in refused.stderr
    assert (data / DATABASE).read_bytes() == before


def test_a_damaged_database_is_replaced_when_forced(invoke: Run, filled: None, data: Path) -> None:
    invoke(backup, "b.tar.gz", **NO_KEY)
    (data / DATABASE).write_bytes(b"ruins" * 1000)
    refused = invoke(restore, "b.tar.gz", **NO_KEY)
    assert "cannot be read: use --force" in refused.stderr
    assert invoke(restore, "b.tar.gz", "--force", **NO_KEY).exit_code == 0
    assert len(listed(invoke, **NO_KEY)) == 2


def test_the_yaml_file_comes_along_when_asked(invoke: Run, filled: None) -> None:
    assert "There is no YAML file" in invoke(backup, "b", "--with-config", **NO_KEY).stderr
    config = Path("conf/app.dev.yaml")
    config.parent.mkdir()
    config.write_text("port: 6000\n")
    assert invoke(backup, "b.tar.gz", "--with-config", **NO_KEY).exit_code == 0
    back = invoke(restore, "b.tar.gz", "--with-config", "--force", **NO_KEY)
    assert "app.dev.yaml is there already; the one of the backup is" in back.stdout
    assert Path("conf/app.dev.yaml.restored").read_text() == "port: 6000\n"
    config.unlink()
    invoke(restore, "b.tar.gz", "--with-config", "--force", **NO_KEY)
    assert config.read_text() == "port: 6000\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_left_alone(invoke: Run, filled: None) -> None:
    Path("b.tar.gz").write_text("mine")
    refused = invoke(backup, "b.tar.gz", **NO_KEY)
    assert refused.exit_code == 1
    assert Path("b.tar.gz").read_text() == "mine"
    assert invoke(backup, "b.tar.gz", "--force", **NO_KEY).exit_code == 0


def test_without_a_database(invoke: Run, data: Path) -> None:
    refused = invoke(backup, "b.tar.gz")
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"Error: There is no database at {data / DATABASE}.\n",
    )
    assert not data.exists()


def test_tokens_that_wait_are_told(invoke: Run, filled: None, data: Path) -> None:
    (data / "escrow").mkdir()
    (data / "escrow" / "cred_0.sealed").write_text("x")
    done = invoke(backup, "b.tar.gz", **NO_KEY)
    assert "1 renewed token could not be stored yet" in done.stderr


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (backup, "pg_dump --format=custom --host=db --username=me --file=b.tar.gz chat"),
        (restore, "pg_restore --clean --if-exists --host=db --username=me --dbname=chat b.tar.gz"),
    ],
)
def test_postgresql_has_its_own_tools(invoke: Run, command: Any, told: str) -> None:
    Path("b.tar.gz").touch()
    refused = invoke(command, "b.tar.gz", DATABASE_URL="postgres://me:planted@db/chat")
    assert refused.exit_code == 1
    assert told in refused.stderr
    assert "planted" not in refused.output
