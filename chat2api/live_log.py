"""The newest log lines of all workers of this machine, in a small file that a page can follow.

Two files in DATA_DIR: the one that is written, and the one before it. Each begins with a name of its own,
so that a reader knows where it stands however often they were changed. Lines are scrubbed as in every log.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from chat2api.logs import make_formatter

Level = Literal["debug", "info", "warning", "error", "critical"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error", "critical")

KEPT_LINES = 2000
MOST_FOLLOWERS = 8
_FILE_BYTES = 1024 * 1024
_LINE_BYTES = 8192
_TEXT_KEPT = 2000  # characters
_NAME_KEPT = 200
_NAME_BYTES = 33  # 32 hex digits and a line break
_KNOWN = ("pid", "time", "level", "logger", "request_id", "event", "exception", "stack_info")


@dataclass(frozen=True, slots=True)
class LogLine:
    """`time` is ISO 8601 in UTC; `request_id` is "-" outside a request; `trace` may have many lines."""

    time: str
    level: str
    logger: str
    request_id: str
    text: str
    pid: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    trace: str = ""

    def has(self, words: str) -> bool:
        """Whether all of `words`, in any script and case, stand somewhere in it."""
        where = f"{self.text} {self.logger} {self.request_id} {self.facts} {self.trace}".casefold()
        return all(word in where for word in words.casefold().split())

    def is_at_least(self, level: str) -> bool:
        return _rank(self.level) >= _rank(level)

    @property
    def facts(self) -> str:
        """The fields beside the text: `seconds=3 path=/x`."""
        return " ".join(f"{name}={value}" for name, value in self.fields.items())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader stands: a file's own name, and a byte in it."""

    name: str
    offset: int

    def __str__(self) -> str:
        return f"{self.name}-{self.offset}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """What `str` made; None for anything else."""
        name, _, offset = text.partition("-")
        known = len(name) == _NAME_BYTES - 1 and name.isalnum() and name.isascii()
        if not known or not (offset.isascii() and offset.isdigit()) or len(offset) > 12:
            return None
        return cls(name, int(offset))


@dataclass(frozen=True, slots=True)
class Found:
    """Lines, and where to go on. `gap`: some in between are gone."""

    lines: list[LogLine]
    place: Place | None
    gap: bool = False


class LiveLog:
    """The two files. Safe from many threads and processes; nothing here raises for a disk's sake."""

    def __init__(self, data_dir: Path, file_bytes: int = _FILE_BYTES) -> None:
        self.path = data_dir / "live.log"
        self._before = data_dir / "live.log.1"
        self._lock_path = data_dir / "live.log.lock"
        self._file_bytes = file_bytes
        # Each who follows holds a connection and looks at the file every second.
        self.seats = threading.BoundedSemaphore(MOST_FOLLOWERS)

    # --- reading

    def last(self, most: int = KEPT_LINES) -> Found:
        """The newest lines, the oldest of them first."""
        kept: list[bytes] = []
        place = None
        for path in (self._before, self.path):
            read = _read(path, 0)
            if read is not None:
                kept += read[1]
                place = read[0]
        return Found(_parsed(kept[-most:] if most else []), place)

    def after(self, place: Place | None) -> Found:
        """What came since; everything that is kept where `place` is not to be found any more."""
        for path in (self.path, self._before):
            read = _read(path, place.offset, place.name) if place else None
            if read is None:
                continue
            at, lines = read
            if path == self._before:
                newer = _read(self.path, 0)
                if newer is not None and newer[0].name != at.name:
                    return Found(_parsed(lines + newer[1]), newer[0])
            return Found(_parsed(lines), at)
        found = self.last()
        return Found(found.lines, found.place, gap=place is not None)

    # --- writing

    def open(self) -> int | None:
        """A descriptor that appends; None where the file cannot be had."""
        with suppress(OSError):
            with self._alone() as alone:
                if alone and not self.path.exists():
                    self._begin()
            return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return None

    def is_full(self, descriptor: int) -> bool:
        return os.fstat(descriptor).st_size >= self._file_bytes

    def is_current(self, descriptor: int) -> bool:
        """Whether the descriptor is of the file that stands there now."""
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        held = os.fstat(descriptor)
        return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)

    def turn(self) -> None:
        """Begin a new file, unless somebody else does or did. Raises OSError."""
        with self._alone() as alone:
            if alone and self.path.stat().st_size >= self._file_bytes:
                os.replace(self.path, self._before)
                self._begin()

    def _begin(self) -> None:
        aside = self.path.with_suffix(".new")
        with suppress(FileNotFoundError):
            aside.unlink()
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, f"{secrets.token_hex(16)}\n".encode())
        finally:
            os.close(handle)
        os.replace(aside, self.path)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other process is changing files; never waits."""
        handle = os.open(self._lock_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True
        finally:
            os.close(handle)


class LiveLogHandler(logging.Handler):
    """Writes what the root logger is given; each line is one write, as lines of workers must not mix."""

    def __init__(self, live: LiveLog) -> None:
        super().__init__()
        self._live = live
        self._descriptor: int | None = None
        self.setFormatter(make_formatter("json"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = _fitting(f'{{"pid": {os.getpid()}, {self.format(record)[1:]}')
            descriptor = self._opened()
            if descriptor is not None:
                os.write(descriptor, line + b"\n")
                if self._live.is_full(descriptor):
                    self._live.turn()
        except Exception:  # noqa: BLE001, S110 - no caller may fail for its log line
            # Logging's own report would print the line as it came, with its secrets.
            pass

    def close(self) -> None:
        self._let_go()
        super().close()

    def _opened(self) -> int | None:
        if self._descriptor is not None and not self._live.is_current(self._descriptor):
            self._let_go()
        if self._descriptor is None:
            self._descriptor = self._live.open()
        return self._descriptor

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_live_log(live: LiveLog) -> LiveLogHandler:
    """Every logger's lines of this process go there too, until the handler is taken away again."""
    handler = LiveLogHandler(live)
    logging.getLogger().addHandler(handler)
    return handler


def stop_live_log(handler: LiveLogHandler) -> None:
    logging.getLogger().removeHandler(handler)
    handler.close()


# --- lines


def _fitting(text: str) -> bytes:
    line = text.encode("utf-8", "backslashreplace")
    if len(line) <= _LINE_BYTES:
        return line
    whole = json.loads(text)
    trace = str(whole.get("exception") or whole.get("stack_info") or "")
    short = {name: str(whole.get(name, ""))[:_NAME_KEPT] for name in _KNOWN[1:5]}
    short |= {"pid": whole["pid"], "event": str(whole["event"])[:_TEXT_KEPT] + " …"}
    if trace:
        short["exception"] = "… " + trace[-_TEXT_KEPT:]
    return json.dumps(short, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _read(path: Path, offset: int, name: str | None = None) -> tuple[Place, list[bytes]] | None:
    """The whole lines from `offset` on. None: no such file, or it is not the one of that name."""
    try:
        with open(path, "rb") as file:
            own = file.read(_NAME_BYTES).decode("ascii", "replace").rstrip("\n")
            if len(own) != _NAME_BYTES - 1 or (name is not None and own != name):
                return None
            start = max(offset, _NAME_BYTES)
            if start > os.fstat(file.fileno()).st_size:
                return None
            file.seek(start)
            data = file.read(4 * _FILE_BYTES)
    except OSError:
        return None
    end = data.rfind(b"\n") + 1  # a line may be in the middle of being written
    return Place(own, start + end), data[:end].splitlines()


def _parsed(lines: list[bytes]) -> list[LogLine]:
    found = (_line_of(line) for line in lines)
    return [line for line in found if line is not None]


def _line_of(data: bytes) -> LogLine | None:
    """None for what is damaged."""
    try:
        entry = json.loads(data)
        return LogLine(
            time=str(entry["time"]),
            level=str(entry["level"]),
            logger=str(entry["logger"]),
            request_id=str(entry["request_id"]),
            text=str(entry["event"]),
            pid=int(entry.get("pid", 0)),
            fields={name: value for name, value in entry.items() if name not in _KNOWN},
            trace=str(entry.get("exception") or entry.get("stack_info") or ""),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else len(LEVELS)
