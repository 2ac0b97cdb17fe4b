"""Small secret files: made once by one of many, replaced as a whole."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from chat2api.store import once
from chat2api.store.once import replace_file, write_once


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_one_of_many_wins(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret.key"
    won: list[bytes] = []

    def run(content: bytes) -> None:
        if write_once(path, content):
            won.append(content)

    threads = [threading.Thread(target=run, args=[b"%d" % n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [path.read_bytes()] == won
    assert (mode(path), mode(path.parent), os.listdir(path.parent)) == (
        0o600,
        0o700,
        ["secret.key"],
    )


def test_where_links_are_not_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "secret.key"
    assert [write_once(path, b"1"), write_once(path, b"2")] == [True, False]
    assert (path.read_bytes(), mode(path), os.listdir(tmp_path)) == (b"1", 0o600, ["secret.key"])


def test_names_are_made_lasting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(once, "sync_folder", synced.append)
    write_once(tmp_path / "a", b"1")
    replace_file(tmp_path / "b", b"2")
    assert synced == [tmp_path, tmp_path]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"new", 0o600, 0o700)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_one_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["file"])
