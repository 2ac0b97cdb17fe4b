"""Log lines: one handler for our own and every library's logger, redacted, each with a request id.

Redaction works on the finished fields, tracebacks included, so it covers text we did not write.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

NO_REQUEST = "-"
_request_id: ContextVar[str] = ContextVar("chat2api_request_id", default=NO_REQUEST)

# These tell of every connection and every poll at debug level.
_NOISY = (
    "urllib3",
    "requests",
    "charset_normalizer",
    "gevent",
    "asyncio",
    "alembic",
    "apscheduler",
)
_HIDDEN = "***"
_LONGEST_TEXT = 16_384
# Other handlers' formatters leave `message` and `asctime` on the record they share with us.
_RECORD_FIELDS = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime"})
_DEEPEST = 5

# Every alternative begins with literal text and then runs over a bounded choice of characters, so
# that no input makes matching slower than linear. Named groups are labels that stay readable.
_SECRET_SHAPES = re.compile(
    r"""
      \beyJ[\w-]{4,}(?:\.[\w-]*){0,4}=*                # JSON web tokens
    | \bgAAAA[\w=+/.~-]{6,}                            # sentinel, proof and conduit tokens
    | \b(?:sk|sess)-[\w-]{6,} | \brt_[\w.-]{6,}        # API keys, session keys, refresh tokens
    | (?P<scheme_word>\b(?i:bearer|basic)\s{1,4})[^\s"',;]{2,}
    | (?P<header>\b(?i:(?:proxy-)?authorization)["']?\s{0,4}[:=]\s{0,4}["']?(?i:bearer\s|basic\s)?)
      [^\s"',;}]+
    | (?P<cookie_header>\b(?i:(?:set-)?cookie)["']?\s{0,4}[:=]\s{0,4}["']?)[^\r\n"'}]+
    | (?P<cookie>\b(?:__Secure-|__Host-|__cf|cf_|oai-|_puid)[\w.-]{0,80}=)[^\s;"',]+
    | (?P<field>\b(?i:access_token|refresh_token|id_token|session_token|client_secret|password
        |api_key|authkey)["']?\s{0,4}[:=]\s{0,4}["']?)[^\s"',;&}]+
    | (?P<address>://)[^\s/?\#"']{1,400}@              # user:password@ in addresses
    """,
    re.VERBOSE,
)
# Fields whose text is secret whatever it looks like.
_SECRET_NAMES = re.compile(r"(?i)cookie|authorization|password|secret|token$|api[-_]?key|authkey")
# Also what breaks lines elsewhere, turns the writing direction, or cannot be encoded.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@contextmanager
def bind_request_id(request_id: str) -> Iterator[None]:
    """Lines logged inside the block, by any logger, carry `request_id`."""
    token = _request_id.set(request_id)
    try:
        yield
    finally:
        _request_id.reset(token)


def set_request_id(request_id: str) -> None:
    """Lines of this thread carry `request_id` from here on, to the next request it serves."""
    _request_id.set(request_id)


def current_request_id() -> str:
    """The id bound around the caller; "-" outside a request."""
    return _request_id.get()


def configure_logging(
    level: Literal["debug", "info", "warning", "error"],
    format: Literal["text", "json"],
    stream: TextIO | None = None,
    file: Path | None = None,
) -> None:
    """Send every logger's lines to `stream` (None: standard error), and to the end of `file` as well.

    May be called again. The file's directory is made; where that or the file cannot be had, a warning
    says so and the stream alone is written.
    """
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
            old.close()
    _add_handler(logging.StreamHandler(stream), format)
    set_log_level(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if file is not None:
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _add_handler(_LogFile(file), format)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            logging.getLogger(__name__).warning("no log file is written: %s", reason)


def set_log_level(level: Literal["debug", "info", "warning", "error"]) -> None:
    """From now on, for this process."""
    logging.getLogger().setLevel(level.upper())


def _add_handler(handler: logging.Handler, format: Literal["text", "json"]) -> None:
    handler.setFormatter(make_formatter(format))
    logging.getLogger().addHandler(handler)


class _LogFile(WatchedFileHandler):
    """Appends; readable by the owner only; opened anew after it was moved away (logrotate).

    Each line is one write, so that lines of several workers do not mix, and a full disk keeps none back.
    """

    def _open(self) -> Any:
        def for_owner(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "ab", buffering=0, opener=for_owner)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.reopenIfNeeded()
            stream: Any = self.stream
            stream.write(f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        except Exception:  # noqa: BLE001, S110 - no caller may fail for its log line
            # Logging's own report would print the line as it came, with its secrets.
            pass


def log_uncaught_errors() -> None:
    """Errors that end a thread or the process are logged, instead of printed unredacted."""
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread_death


def make_formatter(format: Literal["text", "json"]) -> logging.Formatter:
    """The formatter on its own, for handlers made elsewhere."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if format == "json" else _render_text
    )
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            _with_origin_and_extra,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _make_safe,
            renderer,
        ],
    )


def redact(text: str) -> str:
    """`text` without anything that looks like a token, key, cookie or password."""
    return _SECRET_SHAPES.sub(_keep_label, text)


def _keep_label(match: re.Match[str]) -> str:
    label = match[match.lastgroup] if match.lastgroup else ""
    return f"{label}{_HIDDEN}" + ("@" if match.lastgroup == "address" else "")


def _with_origin_and_extra(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    extra = {name: value for name, value in vars(record).items() if name not in _RECORD_FIELDS}
    return {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "request_id": extra.pop("request_id", _request_id.get()),
        **event,
        **extra,
    }


def _make_safe(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Every text without secrets and without control characters; line breaks stay in tracebacks only."""
    traces = {key: event.pop(key) for key in ("exception", "stack_info") if key in event}
    safe = _safe_fields(event, _DEEPEST)
    for key, trace in traces.items():
        lines = redact(_shortened(str(trace))).splitlines()
        safe[key] = "\n".join(_escaped(line) for line in lines)
    return safe


def _safe(value: Any, depth: int) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _escaped(redact(_shortened(value)))
        case dict() if depth:
            return _safe_fields(value, depth - 1)
        case list() | tuple() | set() | frozenset() if depth:
            return [_safe(item, depth - 1) for item in value]
        case _:
            return _escaped(redact(_shortened(repr(value))))


def _safe_fields(fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    safe: dict[str, Any] = {}
    for key, value in fields.items():
        name = _escaped(redact(str(key)))
        hide = isinstance(value, str) and bool(_SECRET_NAMES.search(name))
        safe[name] = _HIDDEN if hide else _safe(value, depth)
    return safe


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _render_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    traces = [event.pop(key) for key in ("exception", "stack_info") if key in event]
    head = "{time} {level:<8} {logger} [{request_id}] {event}".format(**event)
    known = ("time", "level", "logger", "request_id", "event")
    fields = "".join(f" {key}={value}" for key, value in event.items() if key not in known)
    # The bar shows that a line belongs to the entry above and was not logged by itself.
    trace_lines = [f"    | {line}" for trace in traces for line in trace.split("\n")]
    return "\n".join([head + fields, *trace_lines])


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("uncaught error", exc_info=(kind, error, trace))


def _log_thread_death(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    name = args.thread.name if args.thread is not None else "?"
    exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
    logging.getLogger(__name__).error(
        "a thread died", extra={"thread_name": name}, exc_info=exc_info
    )
