"""The pepper of key hashes and the first API key, as small files in DATA_DIR made exactly once.

However many workers start at the same moment, one wins: files are written aside and linked into place,
which fails for all but the first.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PEPPER_FILE = "pepper.key"
KEY_FILE = "api_key.json"
_PEPPER_BYTES = 32
_LOOKS = 20
_BETWEEN_LOOKS_SECONDS = 0.05


def read_pepper(data_dir: Path) -> bytes:
    """32 random bytes that belong to this data directory."""
    path = data_dir / PEPPER_FILE
    if not path.exists():
        _write_once(path, secrets.token_bytes(_PEPPER_BYTES))
    for _ in range(_LOOKS):
        pepper = path.read_bytes()
        if len(pepper) == _PEPPER_BYTES:
            return pepper
        time.sleep(_BETWEEN_LOOKS_SECONDS)  # another worker may be writing it
    raise RuntimeError(
        f"{PEPPER_FILE} in DATA_DIR is damaged: restore it, or delete it and all keys."
    )


def first_key_hash(data_dir: Path, hash_key: Callable[[str], str]) -> str:
    """The stored hash of the generated key; makes the key, and prints it this once, if there is none."""
    path = data_dir / KEY_FILE
    with contextlib.suppress(FileNotFoundError):
        return _stored(path)
    key = "sk-" + secrets.token_urlsafe(36)
    content = json.dumps({"key_hash": hash_key(key), "hint": f"sk-…{key[-4:]}"}).encode()
    if _write_once(path, content):
        _announce(key)
    return _stored(path)


def _stored(path: Path) -> str:
    return str(json.loads(path.read_text("utf-8"))["key_hash"])


def _announce(key: str) -> None:
    """To the terminal and not to the log: logs are kept, and redact keys."""
    os.write(
        1,
        (
            "\nNo API key is configured, so one was made for you. It is shown this once:\n\n"
            f"    {key}\n\n"
            "Set AUTHORIZATION to use keys of your own.\n\n"
        ).encode(),
    )


def _write_once(path: Path, content: bytes) -> bool:
    """Write the file unless it exists, all or nothing, readable by the owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            return False
        except OSError:
            return _write_in_place(path, content)  # a file system without links
        return True
    finally:
        os.unlink(aside)


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
