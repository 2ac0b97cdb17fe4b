"""The file of a backup: a gzipped tar of the database, its manifest, and the YAML file where asked for.

What a manifest says is checked before anything of the rest is believed; names are compared with those we
know, so that no archive writes anywhere else.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "chat2api.db"
CONFIG = "app.yaml"
_KNOWN = (DATABASE, CONFIG)
_LARGEST_MANIFEST_BYTES = 64 * 1024
_PIECE_BYTES = 1024 * 1024


class BadArchive(Exception):
    """It is no backup of ours, or not whole any more; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `files`: name to SHA-256 in hex. `created_at` in epoch seconds."""

    version: str
    schema: str
    created_at: float
    files: Mapping[str, str]

    def written(self) -> bytes:
        return json.dumps(
            {
                "format": FORMAT,
                "version": self.version,
                "schema": self.schema,
                "created_at": self.created_at,
                "files": dict(self.files),
            },
            indent=2,
        ).encode()


# --- writing


def write_archive(
    target: Path, files: Mapping[str, Path], version: str, schema: str, now: float | None = None
) -> Manifest:
    """Pack `files` (name in the archive to path). `target` is there as a whole or not at all, mode 0600.

    Raises OSError.
    """
    created_at = time.time() if now is None else now
    hashes = {name: _hash(path) for name, path in files.items()}
    manifest = Manifest(version, schema, round(created_at, 3), hashes)
    handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            _pack(file, manifest, files)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    except BaseException:
        os.unlink(aside)
        raise
    return manifest


def _pack(file: IO[bytes], manifest: Manifest, files: Mapping[str, Path]) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        content = manifest.written()
        tar.addfile(_member(MANIFEST, len(content), manifest), io.BytesIO(content))
        for name, path in files.items():
            with path.open("rb") as part:
                tar.addfile(_member(name, path.stat().st_size, manifest), part)


def _member(name: str, size: int, manifest: Manifest) -> tarfile.TarInfo:
    """Says nothing of whose file it was on this machine."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(manifest.created_at)
    return member


# --- reading


@contextmanager
def unpacked(archive: Path, beside: Path) -> Iterator[tuple[Manifest, Path]]:
    """The manifest and a folder with the files it names, all of them as they were packed.

    The folder is made in `beside`, readable by the owner only, and is gone afterwards. Raises BadArchive,
    OSError.
    """
    with tempfile.TemporaryDirectory(dir=beside, prefix=".restore-") as folder:
        try:
            with tarfile.open(archive, "r:gz") as tar:
                manifest = _unpack(tar, Path(folder))
        except (tarfile.TarError, EOFError, ValueError, zlib.error) as error:
            raise BadArchive(f"it cannot be read ({type(error).__name__})") from None
        except OSError as error:
            if error.errno is None:  # gzip's own: no error of the system
                raise BadArchive("it is no gzip file, or damaged") from None
            raise
        yield manifest, Path(folder)


def _unpack(tar: tarfile.TarFile, folder: Path) -> Manifest:
    manifest: Manifest | None = None
    seen: set[str] = set()
    for member in tar:
        if manifest is None:
            manifest = _manifest(tar, member)
            continue
        if not member.isreg() or member.name not in manifest.files or member.name in seen:
            raise BadArchive("it holds something that its manifest does not name")
        seen.add(member.name)
        _copy(tar, member, folder / member.name, manifest.files[member.name])
    if manifest is None or seen != set(manifest.files):
        raise BadArchive("a file that its manifest names is missing")
    return manifest


def _manifest(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Manifest:
    if member.name != MANIFEST or not member.isreg() or member.size > _LARGEST_MANIFEST_BYTES:
        raise BadArchive("it does not begin with a manifest")
    part = tar.extractfile(member)
    assert part is not None
    return read_manifest(part.read())


def read_manifest(content: bytes) -> Manifest:
    """Raises BadArchive."""
    try:
        document: Any = json.loads(content)
        if document["format"] != FORMAT:
            raise BadArchive("it is of another format; restore it with the version that wrote it")
        files = {str(name): str(digest) for name, digest in document["files"].items()}
        manifest = Manifest(
            str(document["version"]), str(document["schema"]), float(document["created_at"]), files
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadArchive("its manifest cannot be read") from None
    if DATABASE not in files or not set(files) <= set(_KNOWN):
        raise BadArchive("its manifest names other files than a backup has")
    return manifest


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, expected: str) -> None:
    part = tar.extractfile(member)
    assert part is not None
    digest = hashlib.sha256()
    with open(target, "wb", opener=_for_owner) as file:
        while piece := part.read(_PIECE_BYTES):
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != expected:
        raise BadArchive(f"{member.name} in it is damaged (SHA-256 differs)")


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
