"""The newest log lines of all workers, in a bounded file (G09: scrubbed as in every log)."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat2api.live_log import (
    LiveLog,
    LiveLogHandler,
    LogLine,
    Place,
    stop_live_log,
    write_live_log,
)
from chat2api.logs import bind_request_id

log = logging.getLogger("chat2api.suite")


@pytest.fixture
def live(tmp_path: Path) -> LiveLog:
    return LiveLog(tmp_path)


@pytest.fixture
def handler(live: LiveLog) -> Iterator[LiveLogHandler]:
    """Its lines are this suite's only."""
    made = LiveLogHandler(live)
    log.addHandler(made)
    level, log.propagate = log.level, False
    log.setLevel("DEBUG")
    with bind_request_id("-"):
        yield made
    log.removeHandler(made)
    log.setLevel(level)
    log.propagate = True
    made.close()


def texts(lines: list[LogLine]) -> list[str]:
    return [line.text for line in lines]


@pytest.mark.usefixtures("handler")
def test_a_line_as_a_page_gets_it(live: LiveLog) -> None:
    with bind_request_id("req_1"):
        log.warning("慢 %s", "answer", extra={"seconds": 3, "path": "/x"})
    (line,) = live.last().lines
    assert line.time.endswith("+00:00")
    assert (line.level, line.logger, line.request_id) == ("warning", "chat2api.suite", "req_1")
    assert (line.text, line.facts, line.pid) == ("慢 answer", "seconds=3 path=/x", os.getpid())


@pytest.mark.usefixtures("handler")
def test_traces_come_with_their_line(live: LiveLog) -> None:
    try:
        raise ValueError("sk-planted-secret")
    except ValueError:
        log.exception("it broke")
    (line,) = live.last().lines
    assert line.text == "it broke"
    assert line.trace.startswith("Traceback")
    assert "\n" in line.trace
    assert "planted" not in line.trace


@pytest.mark.usefixtures("handler")
def test_no_secret_reaches_the_file(live: LiveLog) -> None:
    log.error("Bearer planted-1 and eyJhbGciOi.planted-2", extra={"cookie": "planted-3"})
    assert b"planted" not in live.path.read_bytes()
    assert stat.S_IMODE(live.path.stat().st_mode) == 0o600


@pytest.mark.usefixtures("handler")
def test_a_reader_goes_on_where_it_stood(live: LiveLog) -> None:
    log.info("one")
    found = live.last()
    log.info("two")
    log.info("three")
    again = live.after(found.place)
    assert (texts(again.lines), again.gap) == (["two", "three"], False)
    assert live.after(again.place).lines == []


def test_the_newest_of_both_files_in_order(tmp_path: Path) -> None:
    small = LiveLog(tmp_path, 3000)
    handler = LiveLogHandler(small)
    for number in range(60):
        handler.emit(logging.makeLogRecord({"msg": f"line {number}"}))
    handler.close()
    kept = texts(small.last().lines)
    assert 10 < len(kept) < 60
    assert kept == [f"line {number}" for number in range(60 - len(kept), 60)]
    assert texts(small.last(3).lines) == ["line 57", "line 58", "line 59"]
    assert small.last(0).lines == []


def test_files_stay_small_and_a_reader_sees_the_change(tmp_path: Path) -> None:
    small = LiveLog(tmp_path, 2000)
    handler = LiveLogHandler(small)

    def write(number: int) -> None:
        handler.emit(logging.makeLogRecord({"msg": f"line {number}", "levelname": "INFO"}))

    seen: list[str] = []
    place = None
    for number in range(100):
        write(number)
        found = small.after(place)
        assert not found.gap
        seen += texts(found.lines)
        place = found.place
    assert seen == [f"line {number}" for number in range(100)]
    for number in range(100, 200):
        write(number)
    found = small.after(place)
    assert found.gap
    assert texts(found.lines)[-1] == "line 199"
    handler.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert max(sizes) < 2500
    assert len(sizes) == 3


@pytest.mark.usefixtures("handler")
def test_a_line_that_is_half_written_waits(live: LiveLog) -> None:
    log.info("one")
    found = live.last()
    with open(live.path, "ab") as file:
        file.write(b'{"time": "t", "level": "info", "logger": "x", "request_id": "-", "event": "tw')
        file.flush()
        assert live.after(found.place).lines == []
        file.write(b'o"}\n')
    assert texts(live.after(found.place).lines) == ["two"]


@pytest.mark.usefixtures("handler")
def test_damaged_lines_are_left_out(live: LiveLog) -> None:
    log.info("one")
    with open(live.path, "ab") as file:
        file.write(b"\n{}\n[]\n{\n\xff\xfe\nnull\n")
    log.info("two")
    assert texts(live.last().lines) == ["one", "two"]


@pytest.mark.usefixtures("handler")
def test_a_removed_file_is_begun_anew(live: LiveLog) -> None:
    log.info("one")
    place = live.last().place
    live.path.unlink()
    log.info("two")
    found = live.after(place)
    assert (texts(found.lines), found.gap) == (["two"], True)


def test_before_anything_was_written(live: LiveLog) -> None:
    assert live.last().lines == []
    assert live.last().place is None
    assert live.after(None).lines == []


def test_a_file_of_somebody_else_is_not_read(live: LiveLog) -> None:
    live.path.write_bytes(b"not ours\n")
    assert live.last().lines == []


@pytest.mark.usefixtures("handler")
def test_very_long_lines_are_shortened(live: LiveLog) -> None:
    log.error("错" * 16_000, extra={"field": "y" * 9000})
    log.info("next")
    long, _ = live.last().lines
    assert (len(long.text), long.level, long.fields) == (2002, "error", {})
    assert live.path.stat().st_size < 10_000


def test_a_disk_that_takes_nothing_harms_nobody(tmp_path: Path) -> None:
    handler = LiveLogHandler(LiveLog(tmp_path / "missing"))
    handler.emit(logging.makeLogRecord({"msg": "x"}))
    handler.close()


def test_threads_and_processes_do_not_mix_lines(tmp_path: Path) -> None:
    small = [LiveLog(tmp_path, 20_000) for _ in range(4)]
    handlers = [LiveLogHandler(each) for each in small]

    def write(handler: LiveLogHandler, name: int) -> None:
        for number in range(50):
            handler.emit(logging.makeLogRecord({"msg": f"{name}:{number}", "levelname": "INFO"}))

    threads = [
        threading.Thread(target=write, args=(handler, name))
        for name, handler in enumerate(handlers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    for handler in handlers:
        handler.close()
    kept = texts(small[0].last().lines)
    for name in range(4):
        own = [int(text.split(":")[1]) for text in kept if text.startswith(f"{name}:")]
        assert own == sorted(own)
    raw = b"".join(
        path.read_bytes().split(b"\n", 1)[1] for path in tmp_path.glob("live.log*")
        if path.suffix != ".lock"
    )  # fmt: skip
    assert [json.loads(line) for line in raw.splitlines()]


def test_the_root_logger_writes_and_stops(live: LiveLog) -> None:
    handler = write_live_log(live)
    log.warning("seen")
    stop_live_log(handler)
    log.warning("not seen")
    assert "seen" in texts(live.last().lines)
    assert "not seen" not in texts(live.last().lines)
    assert handler not in logging.getLogger().handlers


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", True),
        ("限额", True),
        ("LIMIT reached", True),
        ("reached /x", True),
        ("suite", True),
        ("req_1", True),
        ("ValueError", True),
        ("nothing", False),
        ("limit nothing", False),
    ],
)
def test_words(words: str, found: bool) -> None:
    line = LogLine(
        "t", "info", "suite", "req_1", "Limit 限额 reached", 1, {"path": "/x"}, "ValueError"
    )
    assert line.has(words) is found


def test_levels() -> None:
    line = LogLine("t", "warning", "", "", "")
    assert [line.is_at_least(level) for level in ("debug", "warning", "error")] == [
        True,
        True,
        False,
    ]
    assert LogLine("t", "odd", "", "", "").is_at_least("critical")


@pytest.mark.parametrize(
    "text",
    ["", "-", "a-1", f"{'a' * 32}-", f"{'a' * 32}-x", f"{'a' * 32}-٣", f"{'a' * 32}-{'9' * 13}"],
)
def test_what_is_no_place(text: str) -> None:
    assert Place.read(text) is None


def test_a_place_in_words_and_back() -> None:
    place = Place("0123456789abcdef" * 2, 77)
    assert Place.read(str(place)) == place
