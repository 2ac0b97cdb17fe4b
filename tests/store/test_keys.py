"""The pepper and the first key: made once, printed once, kept as a hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chat2api.store.keys import KEY_FILE, PEPPER_FILE, first_key_hash, read_pepper

STARTING_WORKER = """
import hashlib, pathlib, sys
from chat2api.store.keys import first_key_hash, read_pepper
print("ready", flush=True)
sys.stdin.readline()
folder = pathlib.Path(sys.argv[1])
pepper = read_pepper(folder)
key_hash = first_key_hash(folder, lambda key: hashlib.sha256(pepper + key.encode()).hexdigest())
print("hash", key_hash, pepper.hex(), flush=True)
"""
KEY = re.compile(r"sk-[A-Za-z0-9_-]{48}")


def plain(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Not there yet."""
    return tmp_path / "state" / "data"


def test_exactly_one_key_is_made_however_many_workers_start(folder: Path) -> None:
    command = [sys.executable, "-c", STARTING_WORKER, str(folder)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=20)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8
    (key,) = [key for text in said for key in KEY.findall(text)]
    results = {line for text in said for line in text.splitlines() if line.startswith("hash ")}
    pepper = (folder / PEPPER_FILE).read_bytes()
    key_hash = hashlib.sha256(pepper + key.encode()).hexdigest()
    assert results == {f"hash {key_hash} {pepper.hex()}"}
    assert sorted(path.name for path in folder.iterdir()) == [KEY_FILE, PEPPER_FILE]


def test_the_key_is_printed_once_and_not_kept(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = first_key_hash(folder, plain)
    printed = capfd.readouterr().out
    (key,) = KEY.findall(printed)
    assert printed == (
        "\nNo API key is configured, so one was made for you. It is shown this once:\n\n"
        f"    {key}\n\n"
        "Set AUTHORIZATION to use keys of your own.\n\n"
    )
    assert first == plain(key)
    assert first_key_hash(folder, plain) == first
    assert (capfd.readouterr().out, caplog.text) == ("", "")
    kept = (folder / KEY_FILE).read_text("utf-8")
    assert json.loads(kept) == {"key_hash": first, "hint": f"sk-…{key[-4:]}"}
    assert key[3:-4] not in kept


def test_the_pepper_stays(folder: Path) -> None:
    pepper = read_pepper(folder)
    assert (len(pepper), read_pepper(folder)) == (32, pepper)
    assert read_pepper(folder.with_name("other")) != pepper


def test_files_are_the_owners_alone(folder: Path) -> None:
    before = os.umask(0)
    try:
        read_pepper(folder)
        first_key_hash(folder, plain)
    finally:
        os.umask(before)
    assert {path.name: mode(path) for path in folder.iterdir()} == {
        KEY_FILE: 0o600,
        PEPPER_FILE: 0o600,
    }
    assert mode(folder) == 0o700


def test_where_links_are_not_to_be_had_the_file_is_written_in_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    pepper = read_pepper(folder)
    assert (len(pepper), read_pepper(folder)) == (32, pepper)
    assert [(path.name, mode(path)) for path in folder.iterdir()] == [(PEPPER_FILE, 0o600)]


def test_a_damaged_pepper_is_not_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chat2api.store.keys._BETWEEN_LOOKS_SECONDS", 0.0)
    folder.mkdir(parents=True)
    (folder / PEPPER_FILE).write_bytes(b"half")
    with pytest.raises(RuntimeError, match="damaged"):
        read_pepper(folder)
