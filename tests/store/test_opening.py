"""The key and the database belong together, or nothing is touched (E11)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from chat2api.errors import StorageUnavailable
from chat2api.pool.values import Grant, NewAccount, RenewalClaim
from chat2api.secret import Secret
from chat2api.store import opening, tables
from chat2api.store.arrivals import ArrivalBook
from chat2api.store.credentials import Credentials
from chat2api.store.escrow import Escrow
from chat2api.store.intake import Intake
from chat2api.store.opening import (
    KEY_FILE,
    KeyMismatch,
    Store,
    StoreOptions,
    open_store,
    prepare_store,
    read_keys,
)
from chat2api.store.schema import copy_sqlite
from chat2api.store.vault import keyed_hash

from ..postgres import Cluster
from .conftest import with_driver
from .handed import handed, jwt, rows, whole


@pytest.fixture(params=["sqlite", "postgres"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Of a database that nobody has prepared."""
    if request.param == "sqlite":
        yield StoreOptions(make_url(f"sqlite:///{tmp_path / 'chat2api.db'}"), tmp_path)
        return
    postgres: Cluster = request.getfixturevalue("postgres")
    name = f"fresh_{os.getpid()}"
    yield StoreOptions(make_url(with_driver(postgres.create(name))), tmp_path)
    postgres.drop(name)


def prepared(options: StoreOptions) -> Store:
    prepare_store(options, "0.1.0", wait_seconds=0.0)
    return open_store(options)


def test_a_first_start_makes_a_key_and_a_pepper(options: StoreOptions) -> None:
    store = prepared(options)
    key = options.data_dir / KEY_FILE
    assert (key.stat().st_mode & 0o777, len(key.read_text())) == (0o600, 64)
    assert [row["name"] for row in rows(store, tables.meta)] == [
        "app_version", "key_check", "pepper",
    ]  # fmt: skip
    Intake(store).add([handed()], "test")
    before = whole(store)
    store.close()
    again = prepared(options)
    assert whole(again) == before
    assert again.vault.hash("a") == store.vault.hash("a")
    again.close()


def test_with_a_key_of_the_operator_no_file_is_made(options: StoreOptions) -> None:
    store = prepared(replace(options, keys=(Secret("mine"),)))
    assert not (options.data_dir / KEY_FILE).exists()
    store.close()


def test_hashes_of_an_earlier_version_go_on_working(options: StoreOptions) -> None:
    (options.data_dir / "pepper.key").write_bytes(b"pepper of before")
    store = prepared(options)
    assert store.vault.hash("sk-1") == keyed_hash("sk-1", b"pepper of before")
    store.close()


@pytest.mark.parametrize("wrong", ["another key", None])
def test_a_wrong_or_lost_key_is_refused_and_nothing_is_written(
    options: StoreOptions, wrong: str | None
) -> None:
    mine = replace(options, keys=(Secret("mine"),))
    store = prepared(mine)
    Intake(store).add([handed()], "test")
    before = whole(store)
    keys = () if wrong is None else (Secret(wrong),)
    files = sorted(os.listdir(options.data_dir))
    for start in (lambda it: prepare_store(it, "0.1.0", 0.0), open_store):
        with pytest.raises(KeyMismatch, match=KEY_FILE) as caught:
            start(replace(options, keys=keys))
        assert "mine" not in str(caught.value)
        assert "another" not in str(caught.value).replace("another key", "")
    assert (whole(store), sorted(os.listdir(options.data_dir))) == (before, files)
    store.close()
    prepared(mine).close()


def test_a_key_that_cannot_be_read(options: StoreOptions) -> None:
    (options.data_dir / KEY_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(KeyMismatch, match="cannot be read"):
        prepare_store(options, "0.1.0", 0.0)


def test_the_operators_key_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("filed\n")
    url = make_url("sqlite://")
    assert read_keys(StoreOptions(url, tmp_path)) == (Secret("filed"),)
    given = (Secret("new"), Secret("old"), Secret("new"), Secret(""))
    assert read_keys(StoreOptions(url, tmp_path, given)) == (
        Secret("new"), Secret("old"), Secret("filed"),
    )  # fmt: skip


def test_an_unprepared_database_is_not_opened(options: StoreOptions) -> None:
    with pytest.raises(StorageUnavailable):
        open_store(options)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D05."""
    monkeypatch.setattr(opening, "is_shared", lambda path: True)
    options = StoreOptions(make_url(f"sqlite:///{tmp_path / 'chat2api.db'}"), tmp_path)
    with pytest.raises(StorageUnavailable, match="network file system"):
        prepare_store(options, "0.1.0")
    assert os.listdir(tmp_path) == []


def test_the_time_is_the_stores(options: StoreOptions) -> None:
    store = prepared(options)
    assert store.now() == pytest.approx(store.clock.now(), abs=5)
    store.close()


def test_no_token_lies_in_clear_in_any_file(tmp_path: Path) -> None:
    """G10: neither in the database nor beside it, nor in copies; and only the owner may read them."""
    options = StoreOptions(make_url(f"sqlite:///{tmp_path / 'chat2api.db'}"), tmp_path)
    store = prepared(options)
    tokens = {name: Secret(f"rt_planted_{name}_{'x' * 30}") for name in "abcd"}
    new = NewAccount(
        access_token=Secret(jwt({"exp": 2e9, "planted": "planted"})), refresh_token=tokens["a"],
        id_token=Secret("planted-id"), proxy=Secret("http://u:planted@proxy"),
    )  # fmt: skip
    credentials = Credentials(store, "w")
    Intake(store).add([new], "test")
    ArrivalBook(store).add_seed(Secret("planted-seed"), None, None, "u", [], "test")
    credentials.of_bearer(tokens["b"])
    ((credential_id, version),) = credentials.renewable()
    claim = credentials.claim(credential_id, version, forced=True)
    assert isinstance(claim, RenewalClaim)
    Escrow(store).keep(claim, Grant(Secret("planted-at"), tokens["c"]))
    credentials.save(claim, Grant(Secret("planted-at"), tokens["d"]))
    copy_sqlite(tmp_path / "chat2api.db", tmp_path / "copy.db")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "chat2api.db", "chat2api.db-wal", "chat2api.db-shm", "copy.db", KEY_FILE,
        f"{credential_id}.sealed",
    }  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert (tmp_path / "escrow").stat().st_mode & 0o777 == 0o700
    middle = jwt({"exp": 2e9, "planted": "planted"}).split(".")[1].encode()
    assert [path.name for path in files for clear in (b"planted", middle)
            if clear in path.read_bytes()] == []  # fmt: skip
    key = (tmp_path / KEY_FILE).read_bytes()
    assert [path.name for path in files if key in path.read_bytes()] == [KEY_FILE]
    store.close()
