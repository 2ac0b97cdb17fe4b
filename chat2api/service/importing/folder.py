"""Reads the files of a folder, or one file. The only part of the importer that touches a disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from chat2api.service.importing.content import LARGEST_BYTES, TOO_LARGE, Unreadable
from chat2api.service.importing.found import Found, nothing
from chat2api.service.importing.merging import merge
from chat2api.service.importing.recognise import (
    UNKNOWN,
    Format,
    place_of,
    read_content,
    recognise,
)

HOLDS_NOTHING = "holds no file this importer knows"
LEADS_OUT = "is a link to another folder"

# In this order, which decides where files disagree: the first word counts.
_KNOWN = (
    "token.txt",
    "error_token.txt",
    "refresh_map.json",
    "seed_map.json",
    "conversation_map.json",
    "routing_config.json",
    "fp_map.json",
    "user_agents.json",
    "wss_map.json",
    "chatToken.json",
    "users.json",
    "auth.json",
)
_APP_YAMLS = ("conf/app.*.yaml", "conf/app.*.yml", "app.*.yaml", "app.*.yml")
# Our own, where the folder is our DATA_DIR.
_OURS = frozenset({"api_key.json"})
_MOST_FILES = 10_000


def read_path(path: Path) -> Found:
    """What a file or a folder holds, merged. Raises nothing: what cannot be taken is in `skipped`."""
    try:
        if not path.is_dir():
            return merge([_read_file(path, path.name, path.parent, is_named=True)])
        founds = list(_read_folder(path))
    except OSError:
        return nothing(place_of(path.name), "cannot be read")
    return merge(founds) if founds else nothing(place_of(path.name), HOLDS_NOTHING)


def _read_folder(folder: Path) -> Iterator[Found]:
    paths = [folder / name for name in _KNOWN]
    for pattern in _APP_YAMLS:
        paths += sorted(folder.glob(pattern))
    known = [path for path in paths if os.path.lexists(path)]
    others = [path for path in sorted(folder.glob("*.json")) if path not in known]
    for path in known:
        yield _read_file(path, path.relative_to(folder).as_posix(), folder)
    for path in islice(others, _MOST_FILES):
        if path.name not in _OURS:
            yield _read_login(path, folder)
    if len(others) > _MOST_FILES:
        yield nothing(place_of(folder.name), "has more than 10,000 other JSON files")


def _read_file(path: Path, name: str, folder: Path, *, is_named: bool = False) -> Found:
    """`is_named`: the operator said this very path, so a link may lead anywhere."""
    try:
        return read_content(name, _bytes(path, None if is_named else folder))
    except Unreadable as trouble:
        return nothing(place_of(name), trouble.reason)


def _read_login(path: Path, folder: Path) -> Found:
    """A file of an unknown name: only if it is a login, since a folder holds much that is not ours to read."""
    try:
        content = _bytes(path, folder)
    except Unreadable as trouble:
        return nothing(place_of(path.name), trouble.reason)
    if recognise(path.name, content) in {Format.AUTH, None}:
        return read_content(path.name, content)
    return nothing(place_of(path.name), UNKNOWN)


def _bytes(path: Path, folder: Path | None) -> bytes:
    """The content of a regular file. Raises Unreadable."""
    try:
        target = path.resolve(strict=True)
        if folder is not None and not target.is_relative_to(folder.resolve()):
            raise Unreadable(LEADS_OUT)
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("is not a file")
        if status.st_size > LARGEST_BYTES:
            raise Unreadable(TOO_LARGE)
        with open(target, "rb", opener=_opened) as file:
            return file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise Unreadable("does not exist") from None
    except (OSError, ValueError, RuntimeError):
        raise Unreadable("cannot be read") from None


def _opened(path: str, flags: int) -> int:
    # Whatever took the file's place meanwhile is neither followed nor waited for.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
