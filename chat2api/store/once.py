"""Small secret files that are made exactly once, however many processes start at the same moment."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_once(path: Path, content: bytes) -> bool:
    """Write the file unless it exists, all or nothing, readable by the owner only.

    Returns whether this call made it: written aside and linked into place, one of many wins.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = write_aside(path, content)
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError:
        return _write_in_place(path, content)  # a file system without links
    finally:
        os.unlink(aside)
    # What is sealed with a key must not be on the disk before the key's name is.
    sync_folder(path.parent)
    return True


def replace_file(path: Path, content: bytes) -> None:
    """Write the file in place of an earlier one: a crash leaves the old or the new, never a part."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = write_aside(path, content)
    try:
        os.replace(aside, path)
    except BaseException:
        os.unlink(aside)
        raise
    sync_folder(path.parent)


def write_aside(path: Path, content: bytes) -> str:
    """A temporary file beside `path`, on the disk when this returns; mode 0600. Raises OSError."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(aside)
        raise
    return aside


def sync_folder(folder: Path) -> None:
    """Make names as lasting as contents."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_in_place(path: Path, content: bytes) -> bool:
    """The same where links are not to be had: one wins as well, but a crash may leave half a file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return True
