"""The YAML file as a document to change: read with its comments, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import io
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from chat2api.settings.gentle_yaml import round_trip_yaml
from chat2api.settings.yaml_file import revision_of

_LOCK_SECONDS = 10.0
_BETWEEN_TRIES_SECONDS = 0.02
_UNFINISHED = ".new"
_ENDLESS = 1 << 20  # columns: a token is never broken over lines
# A sequence in a mapping: how far its dashes are indented tells the file's style.
_INDENTED_DASH = re.compile(
    r"^(?P<key> *)[^\s#-][^\n#]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*(?P<dash> *)- ", re.M
)

_HEAD = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*---[ \t]*\n")


class ConfigFileError(Exception):
    """The file cannot be read as YAML, or not be written. The text has no value of it."""


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """A parsed file. `data` is ruamel's tree and may be changed; `revision` is that of the bytes read."""

    data: CommentedMap
    revision: str
    text: str

    def dump(self) -> str:
        """The tree as text, in the style of the file it was read from."""
        head, body = _split(self.text)
        stream = io.StringIO()
        _yaml(body).dump(self.data, stream)
        written = head + stream.getvalue()
        return written if written.endswith("\n") else f"{written}\n"


def read_document(path: Path) -> ConfigDocument:
    """Raises ConfigFileError."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigFileError(f"{path.name} cannot be read as UTF-8 text.") from None
    return parse_document(text, revision_of(content), path.name)


def parse_document(text: str, revision: str, label: str) -> ConfigDocument:
    """The same for a text. Raises ConfigFileError, which names the file by `label`."""
    _, body = _split(text)
    try:
        data = _yaml(body).load(body)
    except (YAMLError, ValueError, RecursionError):
        raise ConfigFileError(f"{label} is not valid YAML; mend it by hand.") from None
    if data is None:
        data = CommentedMap()
    if not isinstance(data, CommentedMap):
        raise ConfigFileError(f"{label} does not hold `name: value` lines; mend it by hand.")
    return ConfigDocument(data, revision, text)


def write_document(path: Path, text: str) -> None:
    """Replace the file; what it held goes to `<file>.bak`. Both are for the owner only.

    A crash leaves the old or the new file, and perhaps an unfinished one beside it, which the next call
    removes; so hold `config_lock`. A symbolic link stays one: its target is replaced. Raises
    ConfigFileError.
    """
    try:
        real = path.resolve(strict=True)
        for left in real.parent.glob(f".{glob.escape(real.name)}.*{_UNFINISHED}"):
            left.unlink(missing_ok=True)
        _replace(_backup(real), real.read_bytes())
        _replace(real, text.encode("utf-8"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigFileError(f"{path.name} cannot be written: {reason}.") from error


def remove_backup(path: Path) -> bool:
    """Delete `<file>.bak`, which holds the secrets of before; whether there was one.

    Raises ConfigFileError.
    """
    try:
        _backup(path.resolve()).unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigFileError(f"{path.name}.bak cannot be deleted: {reason}.") from error
    return True


@contextlib.contextmanager
def config_lock(path: Path) -> Iterator[None]:
    """Whoever reads in order to write holds this, so that no change of another process is lost.

    The lock is on the directory: the file itself is replaced. Raises ConfigFileError when it cannot be
    had in ten seconds.
    """
    try:
        handle = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError:
        raise ConfigFileError(f"The directory of {path.name} cannot be opened.") from None
    try:
        _wait_for_lock(handle, path)
        yield
    finally:
        os.close(handle)  # lets the lock go


def _wait_for_lock(handle: int, path: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise ConfigFileError(f"{path.name} is being written by another process.") from None
        else:
            return
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _backup(path: Path) -> Path:
    return path.with_name(f"{path.name}.bak")


def _replace(path: Path, content: bytes) -> None:
    handle, aside = tempfile.mkstemp(_UNFINISHED, f".{path.name}.", path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            _keep_owner(path, file.fileno())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    _sync_directory(path.parent)


def _keep_owner(path: Path, handle: int) -> None:
    # An administrator's command must not take the file away from the server's user.
    with contextlib.suppress(OSError):
        there = path.stat()
        os.fchown(handle, there.st_uid, there.st_gid)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _yaml(text: str) -> YAML:
    yaml = round_trip_yaml()
    yaml.preserve_quotes = True
    yaml.width = _ENDLESS
    dash = _INDENTED_DASH.search(text)
    offset = max(0, len(dash["dash"]) - len(dash["key"])) if dash else 2
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _split(text: str) -> tuple[str, str]:
    """Lines that ruamel has no node for, comments before `---` or nothing but comments; and the rest."""
    if all(line.lstrip()[:1] in ("", "#") for line in text.splitlines()):
        return (f"{text}\n" if text and not text.endswith("\n") else text), ""
    head = _HEAD.match(text)
    return ("", text) if head is None else (head[0], text[head.end() :])
