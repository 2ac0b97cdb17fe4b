"""The file of a backup: whole or refused, and nothing of it leads anywhere else."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.cli.archive import (
    CONFIG,
    DATABASE,
    MANIFEST,
    BadArchive,
    Manifest,
    read_manifest,
    unpacked,
    write_archive,
)

NOW = 1_750_000_000.0


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    (tmp_path / "db").write_bytes(b"database")
    (tmp_path / "yaml").write_bytes(b"port: 1\n")
    files = {DATABASE: tmp_path / "db", CONFIG: tmp_path / "yaml"}
    write_archive(tmp_path / "b.tar.gz", files, "1.0", "0001", NOW)
    return tmp_path / "b.tar.gz"


def test_what_is_packed_comes_out(packed: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with unpacked(packed, tmp_path) as (manifest, folder):
        assert (manifest.version, manifest.schema, manifest.created_at) == ("1.0", "0001", NOW)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            DATABASE: b"database",
            CONFIG: b"port: 1\n",
        }
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert not folder.exists()


def test_it_says_nothing_of_this_machine(packed: Path) -> None:
    with tarfile.open(packed) as tar:
        members = tar.getmembers()
    assert [(one.name, one.uname, one.uid, one.mode) for one in members] == [
        (MANIFEST, "", 0, 0o600),
        (DATABASE, "", 0, 0o600),
        (CONFIG, "", 0, 0o600),
    ]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"x")
    target = tmp_path / "sub" / "b.tar.gz"
    target.parent.mkdir()
    target.mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match="directory"):
        write_archive(target, {DATABASE: tmp_path / "db"}, "1", "1")
    assert [path.name for path in target.parent.iterdir()] == ["b.tar.gz"]


def test_a_damaged_file_is_noticed(packed: Path, tmp_path: Path) -> None:
    with tarfile.open(packed) as tar:
        names = tar.getnames()
        contents = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr]
    contents[DATABASE] = b"datbaase"
    built(packed, list(contents.items()))
    refused(packed, tmp_path, r"chat2api\.db in it is damaged")


def test_a_short_or_foreign_file_is_refused(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    for length in range(0, len(whole), 40):
        packed.write_bytes(whole[:length])
        refused(packed, tmp_path, "cannot be read|no gzip file|is missing")
    packed.write_bytes(b"hello, this is no archive at all")
    refused(packed, tmp_path, "cannot be read|no gzip file")


def test_no_flipped_bit_goes_unnoticed(packed: Path, tmp_path: Path) -> None:
    whole = packed.read_bytes()
    for place in range(len(whole)):
        packed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            with unpacked(packed, tmp_path) as (manifest, folder):
                assert set(manifest.files) == {DATABASE, CONFIG}
                assert (folder / DATABASE).read_bytes() == b"database"
        except BadArchive:
            continue


@given(st.binary(max_size=200))
def test_any_bytes_as_a_manifest(content: bytes) -> None:
    with pytest.raises(BadArchive):
        read_manifest(content)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"files": {}},
        {"files": {DATABASE: "x", "../evil": "x"}},
        {"files": [DATABASE]},
        {"created_at": "yesterday"},
        {"version": None, "files": None},
    ],
)
def test_manifests_that_are_none(change: dict[str, Any]) -> None:
    good = Manifest("1", "0001", NOW, {DATABASE: "ab"})
    assert read_manifest(good.written()) == good
    with pytest.raises(BadArchive):
        read_manifest(json.dumps(json.loads(good.written()) | change).encode())


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "evil"])
def test_other_members_are_refused(packed: Path, tmp_path: Path, name: str) -> None:
    manifest = Manifest("1", "1", NOW, {DATABASE: "0" * 64}).written()
    built(packed, [(MANIFEST, manifest), (name, b"x")])
    refused(packed, tmp_path, "does not name")


def test_links_are_refused(packed: Path, tmp_path: Path) -> None:
    manifest = Manifest("1", "1", NOW, {DATABASE: "0" * 64}).written()
    link = tarfile.TarInfo(DATABASE)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    built(packed, [(MANIFEST, manifest)], link)
    refused(packed, tmp_path, "does not name")


def test_missing_files_are_noticed(packed: Path, tmp_path: Path) -> None:
    built(packed, [(MANIFEST, Manifest("1", "1", NOW, {DATABASE: "0" * 64}).written())])
    refused(packed, tmp_path, "is missing")
    built(packed, [("other.json", b"{}")])
    refused(packed, tmp_path, "does not begin with a manifest")


def built(path: Path, files: list[tuple[str, bytes]], *more: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member in more:
            tar.addfile(member)


def refused(path: Path, beside: Path, why: str) -> None:
    before = sorted(beside.iterdir())
    with pytest.raises(BadArchive, match=why), unpacked(path, beside):
        pass
    assert sorted(beside.iterdir()) == before
