"""New tokens that the database could not take survive the process, sealed (C05, G10)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from chat2api.pool.values import Grant, RenewalClaim, StoredCredential
from chat2api.secret import Secret
from chat2api.store.escrow import Escrow
from chat2api.store.opening import ESCROW_FOLDER, Store

from .handed import NOW

STORED = StoredCredential("cred_0a", 3, Secret("old at"), Secret("old rt"), subject="acc_1")
GRANT = Grant(Secret("planted at"), Secret("planted rt"), None, NOW)
CLAIM = RenewalClaim(STORED, 7, NOW)


@pytest.fixture
def folder(sqlite_store: Store) -> Path:
    return sqlite_store.data_dir / ESCROW_FOLDER


def test_what_is_kept_is_found_by_another_process(sqlite_store: Store, folder: Path) -> None:
    Escrow(sqlite_store).keep(CLAIM, GRANT)
    other = Escrow(sqlite_store)
    assert other.waiting() == ["cred_0a"]
    assert other.find(STORED) == (RenewalClaim(STORED, 7, 0.0), GRANT)
    (path,) = folder.iterdir()
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"planted" not in path.read_bytes()
    other.drop("cred_0a")
    other.drop("cred_0a")
    assert (other.waiting(), other.find(STORED)) == ([], None)


def test_it_is_of_the_version_that_was_exchanged(sqlite_store: Store) -> None:
    """So that a newer token in the database is not overwritten."""
    escrow = Escrow(sqlite_store)
    escrow.keep(CLAIM, GRANT)
    newer = StoredCredential("cred_0a", 5, None, None)
    found = escrow.find(newer)
    assert found is not None
    assert found[0].stored.version == 3


def test_other_files_are_left_alone(sqlite_store: Store, folder: Path) -> None:
    folder.mkdir()
    for name in ("cred_0b.sealed.tmp", ".cred_0b.sealed.x", "notes.txt", "cred_..sealed"):
        (folder / name).touch()
    assert Escrow(sqlite_store).waiting() == []


@pytest.mark.parametrize(
    "content", ["", "damaged", "sealed:{}", "sealed:[]", 'sealed:{"version": 1}']
)
def test_a_damaged_file_is_told_and_kept(
    sqlite_store: Store, folder: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    if content.startswith("sealed:"):
        content = sqlite_store.vault.seal_bytes(content.removeprefix("sealed:").encode())
    (folder / "cred_0a.sealed").write_text(content)
    assert Escrow(sqlite_store).find(STORED) is None
    assert caplog.messages == ["a sealed file cannot be read"]
    assert os.listdir(folder) == ["cred_0a.sealed"]


def test_a_full_disk_is_told(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Escrow(sqlite_store).keep(CLAIM, GRANT)
