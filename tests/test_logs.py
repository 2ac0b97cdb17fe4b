import io
import json
import logging
import re
import stat
import sys
import threading
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.logs import (
    bind_request_id,
    configure_logging,
    current_request_id,
    log_uncaught_errors,
    make_formatter,
    redact,
)


@pytest.fixture
def logged():
    """logged(format): installs logging; calling the result gives what was written since."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, threading.excepthook

    def install(format, level="info", file=None):
        stream = io.StringIO()
        configure_logging(level, format, stream, file)
        return lambda: stream.getvalue()

    with bind_request_id("-"):  # another test of this thread may have left its own
        yield install
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks


def test_a_text_line_has_time_level_logger_request_and_fields(logged):
    written = logged("text")
    with bind_request_id("req_1"):
        logging.getLogger("a.b").warning("slow %s", "answer", extra={"seconds": 3, "path": "/x"})
    time_text, line = written().split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", time_text)
    assert line == "warning  a.b [req_1] slow answer seconds=3 path=/x\n"


def test_a_json_line_has_the_same_fields(logged):
    written = logged("json")
    with bind_request_id("req_1"):
        logging.getLogger("a.b").error("déjà", extra={"n": {"x": [1, None, "中"]}})
    entry = json.loads(written())
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "error",
        "logger": "a.b",
        "request_id": "req_1",
        "event": "déjà",
        "n": {"x": [1, None, "中"]},
    }


def test_outside_a_request_the_id_is_a_dash(logged):
    written = logged("text")
    logging.getLogger("a").info("x")
    assert " a [-] x\n" in written()
    assert current_request_id() == "-"


def test_a_thread_may_say_for_which_request_it_works(logged):
    written = logged("text")
    logging.getLogger("a").info("x", extra={"request_id": "req_9"})
    assert " a [req_9] x\n" in written()


def test_ids_nest():
    with bind_request_id("outer"):
        with bind_request_id("inner"):
            assert current_request_id() == "inner"
        assert current_request_id() == "outer"


def test_configuring_again_replaces_the_handler(logged):
    first = logged("text")
    second = logged("json")
    logging.getLogger("a").info("x")
    assert first() == ""
    assert json.loads(second())["event"] == "x"


def test_levels(logged):
    written = logged("text", "debug")
    logging.getLogger("ours").debug("seen")
    logging.getLogger("urllib3.connectionpool").debug("hidden")
    logging.getLogger("gevent").info("hidden")
    assert "seen" in written()
    assert "hidden" not in written()


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.planted-signature_x"
SECRETS = [
    (JWT, "***"),
    (f"token {JWT}, next", "token ***, next"),
    ("eyJhbGciOiJub25lIn0", "***"),
    ("sk-planted0123456789", "***"),
    ("key=sk-proj-planted_01-23", "key=***"),
    ("rt_planted.0123-4567_89", "***"),
    ("Authorization: Bearer planted-x/y+z==", "Authorization: Bearer ***"),
    ("{'authorization': 'planted'}", "{'authorization': '***'}"),
    ("proxy-authorization: Basic cGxhbnRlZA==", "proxy-authorization: Basic ***"),
    ("bearer planted.x", "bearer ***"),
    ("via http://me:planted@proxy:80/x", "via http://***@proxy:80/x"),
    ("via socks5://me:pl@nted@proxy", "via socks5://***@proxy"),
    ("gAAAAABplanted+/=~S", "***"),
    ("Cookie: a=planted; b=planted2", "Cookie: ***"),
    ("Set-Cookie: s=planted; Path=/; HttpOnly", "Set-Cookie: ***"),
    ('{"cookie": "s=planted; t=planted", "x": 1}', '{"cookie": "***", "x": 1}'),
    ("__Secure-next-auth.session-token=planted; x", "__Secure-next-auth.session-token=***; x"),
    ("cf_clearance=planted;", "cf_clearance=***;"),
    ("?access_token=planted&x=1", "?access_token=***&x=1"),
    ('"refresh_token": "planted"', '"refresh_token": "***"'),
    ("password=planted", "password=***"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_what_looks_like_a_secret_is_masked(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "a risk-free task-force",
        "start_of_line",
        "https://host/path@2x.png",
        "user@example.com",
        "3 cookies, 12 tokens",
        "keyJson",
    ],
)
def test_plain_words_stay(text):
    assert redact(text) == text


class Odd:
    def __repr__(self):
        return f"<Odd {JWT}>"


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_secret_by_any_way_into_a_line(logged, format):
    written = logged(format)
    log = logging.getLogger("urllib3.connectionpool")
    for text, _ in SECRETS:
        log.warning("said %s", text)
        log.warning(text, extra={"field": text, "nested": {"list": [text, {text: text}]}})
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("failed")
    log.warning("object", extra={"object": Odd(), "deep": [[[[[[[[JWT]]]]]]]]})
    log.warning(
        "named", extra={"Cookie": "planted", "h": {"x-api-key": "planted", "n_token": "planted"}}
    )
    log.warning("stack", stack_info=True, extra={"headers": {"Set-Cookie": "planted"}})
    assert "failed" in written()
    shown = "\n".join(line for line in written().splitlines() if "raise ValueError" not in line)
    # The shapes that only count after a label ("planted" alone is a word) are in SECRETS with it.
    assert "planted" not in re.sub(r"log\.warning\(.*", "", shown)


@given(st.text(max_size=300))
def test_text_cannot_forge_a_line(text):
    record = logging.LogRecord("a", logging.INFO, "", 0, "%s", (text,), None)
    record.field = text
    for format in ("text", "json"):
        line = make_formatter(format).format(record)
        assert len(line.splitlines()) == 1
        assert not {"Cc", "Cs", "Zl", "Zp"} & set(map(unicodedata.category, line))


def test_a_trace_cannot_forge_a_line(logged):
    written = logged("text")
    try:
        raise ValueError("x\n2026-01-01T00:00:00Z info forged\x1b[2J")
    except ValueError:
        logging.getLogger("a").exception("failed")
    head, *trace = written().splitlines()
    assert head.endswith("a [-] failed")
    assert trace
    assert all(line.startswith("    | ") for line in trace)
    assert "\x1b" not in written()


def test_endless_text_is_cut(logged):
    written = logged("text")
    logging.getLogger("a").info("x" * 1_000_000)
    assert len(written()) < 17_000


@pytest.mark.parametrize(
    "piece",
    ["eyJ", "eyJ.", "eyJaaaa.", "://", "://a", "://" + "@" * 400, "sk-", "rt_", "cookie:", "bearer ",
     "authorization", "authorization: ", " password ", "__cf", "__Secure-a", "gAAAA", "\t ", "a", "\n"],
)  # fmt: skip
def test_redaction_is_quick_on_any_text(piece):
    text = (piece * 100_000)[:100_000]
    best = min(_seconds(redact, text) for _ in range(3))
    assert best < 0.2  # 20 to 40 ms on an idle machine; quadratic would be minutes


def _seconds(function, text):
    began = time.perf_counter()
    function(text)
    return time.perf_counter() - began


def test_a_thread_that_dies_is_logged(logged):
    written = logged("text")
    log_uncaught_errors()

    def fail():
        raise RuntimeError("sk-planted0123456789")

    thread = threading.Thread(target=fail, name="worker-1")
    thread.start()
    thread.join(5)
    assert "chat2api.logs [-] a thread died thread_name=worker-1\n" in written()
    assert "    | RuntimeError: ***\n" in written()


def test_an_error_that_ends_the_process_is_logged(logged):
    written = logged("text")
    log_uncaught_errors()
    error = RuntimeError("sk-planted0123456789")
    sys.excepthook(RuntimeError, error, None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert written().count("\n    | RuntimeError: ***\n") == 1
    assert "critical chat2api.logs [-] uncaught error" in written()


# --- the log file


def test_a_file_gets_the_same_lines(logged, tmp_path):
    file = tmp_path / "logs" / "a.log"
    written = logged("text", file=file)
    logging.getLogger("a").info("key sk-planted0123456789 中")
    assert file.read_text("utf-8") == written()
    assert written().endswith("key *** 中\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_is_appended_to_and_opened_anew_after_it_was_moved(logged, tmp_path):
    file = tmp_path / "a.log"
    file.write_text("before\n")
    logged("text", file=file)
    logging.getLogger("a").info("one")
    file.rename(tmp_path / "a.log.1")
    logging.getLogger("a").info("two")
    first = (tmp_path / "a.log.1").read_text().splitlines()
    assert (first[0], len(first)) == ("before", 2)
    assert file.read_text().endswith("two\n")


def test_configuring_again_writes_each_line_once(logged, tmp_path):
    file = tmp_path / "a.log"
    logged("text", file=file)
    logged("text", file=file)
    logging.getLogger("a").info("one")
    assert len(file.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_had_is_told(logged, tmp_path):
    (tmp_path / "logs").write_text("a file")
    written = logged("text", file=tmp_path / "logs" / "a.log")
    assert "no log file is written: File exists" in written()


def test_a_full_disk_shows_no_secret(logged, capsys):
    written = logged("text", file=Path("/dev/full"))
    logging.getLogger("a").info("sk-planted0123456789")
    assert "planted" not in written() + capsys.readouterr().err
