"""The upstream's home page: script names and build ids that the proof of work and headers carry (sheet 3.5)."""

from __future__ import annotations

import html
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from chat2api.errors import UpstreamBadResponse, UpstreamError
from chat2api.lifetime.call import Call
from chat2api.providers.chatgpt.headers import client_hints
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.protocol import Io
from chat2api.transport.protocol import Outgoing

log = logging.getLogger(__name__)

DEFAULT_SCRIPT = "https://chatgpt.com/backend-api/sentinel/sdk.js"
KEEP_SECONDS = 900.0
_RETRY_SECONDS = 60.0
_SILENCE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 2 * _SILENCE_SECONDS
_LIMIT_BYTES = 4 * 1024 * 1024

# No tag holds another's beginning: without that, a page of nothing but beginnings would take minutes.
_SCRIPT = re.compile(
    r"<script\b[^<>]{0,2000}?\bsrc\s*=\s*[\"']([^\"']{1,2000})[\"']", re.IGNORECASE
)
_HTML_TAG = re.compile(r"<html\b[^<>]{0,4000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"\b(data-build|data-seq)\s*=\s*[\"']([^\"']{1,200})[\"']", re.IGNORECASE)
_BUILD_IN_SCRIPT = re.compile(r"c/[^/]{1,200}/_")
_HEADER_SAFE = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True, slots=True)
class HomePage:
    """`build_id` goes into the proof, `client_version` and `build_number` into headers; None if unseen."""

    scripts: tuple[str, ...] = (DEFAULT_SCRIPT,)
    build_id: str | None = None
    client_version: str | None = None
    build_number: str | None = None


def parse_home_page(text: str) -> HomePage:
    scripts = tuple(html.unescape(source) for source in _SCRIPT.findall(text)[:100])
    tag = _HTML_TAG.search(text)
    found = _ATTRIBUTE.findall(tag.group(0)) if tag else []
    attributes = {name.lower(): html.unescape(value) for name, value in found}
    from_script = next((m.group(0) for s in scripts if (m := _BUILD_IN_SCRIPT.search(s))), None)
    version = attributes.get("data-build")
    return HomePage(
        scripts or (DEFAULT_SCRIPT,),
        from_script or version,
        _header_safe(version),
        _header_safe(attributes.get("data-seq")),
    )


def _header_safe(value: str | None) -> str | None:
    return value if value and _HEADER_SAFE.fullmatch(value) else None


@dataclass(slots=True)
class _Entry:
    """One upstream's page. `fresh_until` is a reading of the clock; `waiting` are calls without any page."""

    page: HomePage | None = None
    fresh_until: float = -math.inf
    is_fetching: bool = False
    waiting: list[threading.Event] = field(default_factory=list)


class HomePages:
    """Fetched at most every 15 minutes per upstream address. Failing to fetch one is never fatal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def of(
        self, base: str, persona: Persona, user_agent: str, io: Io, extra: Mapping[str, str]
    ) -> HomePage:
        """The page of an upstream; `extra` are the operator's headers.

        One call fetches. Others go on with the page of before meanwhile, or wait where there is none.
        """
        while True:
            woken: threading.Event | None = None
            with self._lock:
                entry = self._entries.setdefault(base, _Entry())
                if self._clock() < entry.fresh_until or (entry.page and entry.is_fetching):
                    return entry.page or HomePage()
                if entry.is_fetching:
                    woken = threading.Event()
                    entry.waiting.append(woken)
                else:
                    entry.is_fetching = True
            if woken is None:
                return self._refreshed(entry, base, persona, user_agent, io, extra)
            if not self._has_come(entry, woken, io.call):
                return HomePage()

    def forget(self, base: str) -> None:
        """Fetch anew next time: the upstream refused a proof that was built on the page."""
        with self._lock:
            entry = self._entries.get(base)
            if entry is not None:
                entry.fresh_until = -math.inf

    def _refreshed(
        self,
        entry: _Entry,
        base: str,
        persona: Persona,
        user_agent: str,
        io: Io,
        extra: Mapping[str, str],
    ) -> HomePage:
        """Fetch, and tell all who wait. A call that ends in the midst leaves the fetching to another."""
        page, keep = entry.page, 0.0
        try:
            page, keep = self._fetch(base, persona, user_agent, io, extra), KEEP_SECONDS
        except UpstreamError as error:
            io.call.check()
            log.info("home page not available, going on without: %s", error.message)
            keep = _RETRY_SECONDS
        finally:
            with self._lock:
                if keep:
                    entry.page, entry.fresh_until = page, self._clock() + keep
                entry.is_fetching = False
                waiting, entry.waiting = entry.waiting, []
            for woken in waiting:
                woken.set()
        return page or HomePage()

    def _has_come(self, entry: _Entry, woken: threading.Event, call: Call) -> bool:
        """Wait for the call that fetches. After a full wait in vain others need not wait, too."""
        with call.waking(woken.set):
            told = woken.wait(max(0.0, min(_LONGEST_WAIT_SECONDS, call.remaining())))
        call.check()
        if not told and call.remaining() > 0:
            with self._lock:
                entry.fresh_until = max(entry.fresh_until, self._clock() + _RETRY_SECONDS)
        return told

    def _fetch(
        self, base: str, persona: Persona, user_agent: str, io: Io, extra: Mapping[str, str]
    ) -> HomePage:
        headers = {
            "Accept-Language": "en-US,en;q=0.9",
            "User-Agent": user_agent,
            **client_hints(user_agent),
            **extra,
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Encoding": "gzip",
            "Cookie": persona.cookie_header(),
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "none",
            "Sec-Fetch-User": "?1",
            "Upgrade-Insecure-Requests": "1",
        }
        request = Outgoing(
            "GET",
            f"{base}/",
            headers,
            None,
            io.proxy,
            first_byte_seconds=_SILENCE_SECONDS,
            idle_seconds=_SILENCE_SECONDS,
            repeatable=True,
        )
        response = io.transport.open(request, io.call)
        persona.absorb(response.headers)
        if response.status != 200:
            response.close()
            raise UpstreamBadResponse(f"The home page answered {response.status}.")
        return parse_home_page(response.read(_LIMIT_BYTES).decode("utf-8", "replace"))
