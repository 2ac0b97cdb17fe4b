"""The live log: what all workers of this machine write, scrubbed, as it comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request, url_for

from chat2api.errors import Overloaded
from chat2api.live_log import KEPT_LINES, LEVELS, LogLine, Place
from chat2api.web.admin_auth import standing_admission
from chat2api.web.calls import begin_call
from chat2api.web.desk.frame import desk_blueprint, render_desk
from chat2api.web.desk.log_stream import LogStream
from chat2api.web.json import json_response
from chat2api.web.languages import gettext, plural_forms, time_zone
from chat2api.web.page_errors import wants_page
from chat2api.web.state import runtime
from chat2api.web.streaming import HEADERS

blueprint = desk_blueprint("log", __name__)

_SHOWN_LINES = 200
_LONGEST_FILTER = 200
_LONGEST_TRACE = 8_000
_OUR_REQUEST = re.compile(r"req_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    level: str
    words: str

    @property
    def query(self) -> dict[str, Any]:
        named = {"level": self.level, "q": self.words}
        return {name: value for name, value in named.items() if value}

    def __call__(self, line: LogLine) -> bool:
        return line.is_at_least(self.level or "debug") and line.has(self.words)


@blueprint.get("/admin/log")
def page() -> Response:
    wanted, draw = _wanted(), drawing()
    found = runtime().desk.live.last(KEPT_LINES)
    lines = [draw(line) for line in [one for one in found.lines if wanted(one)][-_SHOWN_LINES:]]
    if not wants_page():
        return json_response({"lines": lines})
    return render_desk(
        "desk/log.html",
        nav="log",
        lines=lines,
        wanted=wanted,
        levels=_levels(),
        kept=KEPT_LINES,
        new_lines=plural_forms("%(num)d new line", "%(num)d new lines"),
        stream_url=url_for("log.stream", **wanted.query, after=str(found.place or "")),
    )


@blueprint.get("/admin/log/stream")
def stream() -> Response:
    """Raises Overloaded (503) when too many follow already, ShuttingDown."""
    held, wanted, draw, admitted = runtime(), _wanted(), drawing(), standing_admission()
    watched = begin_call()
    if not held.desk.live.seats.acquire(blocking=False):
        watched.end()
        raise Overloaded("Too many live logs are open on this worker.", retry_after=30)
    place = Place.read(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
    body = LogStream(
        held.desk.live,
        place,
        wanted,
        draw,
        watched,
        admitted=admitted,
        draining=lambda: held.lifecycle.draining,
        keepalive_seconds=held.settings.keepalive_seconds,
    )
    response = Response(body, headers=HEADERS)
    response.call_on_close(body.close)
    return response


def drawing() -> Callable[[LogLine], dict[str, object]]:
    """A line as page and script show it; good for the whole stream, after the request as well."""
    zone = ZoneInfo(time_zone())
    # The address of a request is made before there is one: later nobody knows the prefix.
    pattern = url_for("requests.one", request_id="REQUEST")

    def draw(line: LogLine) -> dict[str, object]:
        is_ours = _OUR_REQUEST.fullmatch(line.request_id) is not None
        return {
            "at": line.time,
            "clock": _clock(line.time, zone),
            "level": line.level if line.level in LEVELS else "info",
            "logger": line.logger,
            "text": line.text,
            "facts": line.facts,
            "trace": line.trace[-_LONGEST_TRACE:],
            "request_id": "" if line.request_id == "-" else line.request_id,
            "href": pattern.replace("REQUEST", line.request_id) if is_ours else "",
            "pid": line.pid,
        }

    return draw


def _clock(text: str, zone: ZoneInfo) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(zone).strftime("%H:%M:%S")
    except ValueError:
        return text[:8]


def _wanted() -> _Wanted:
    level = request.args.get("level", "")
    words = request.args.get("q", "").strip()[:_LONGEST_FILTER]
    return _Wanted(level if level in LEVELS else "", words)


def _levels() -> list[tuple[str, str]]:
    return [
        ("", gettext("Everything")),
        ("info", gettext("Information and above")),
        ("warning", gettext("Warnings and errors")),
        ("error", gettext("Errors")),
    ]
