"""The upstream's home page: script names and build ids that the proof of work and headers carry (sheet 3.5)."""

from __future__ import annotations

import html
import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from chat2api.errors import UpstreamBadResponse, UpstreamError
from chat2api.providers.chatgpt.persona import Persona
from chat2api.providers.protocol import Io
from chat2api.transport.protocol import Outgoing

log = logging.getLogger(__name__)

DEFAULT_SCRIPT = "https://chatgpt.com/backend-api/sentinel/sdk.js"
KEEP_SECONDS = 900.0
_RETRY_SECONDS = 60.0
_WAIT_SECONDS = 5.0
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


class HomePages:
    """Fetched at most every 15 minutes per upstream address. Failing to fetch one is never fatal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[float, HomePage]] = {}

    def of(self, base: str, persona: Persona, user_agent: str, io: Io) -> HomePage:
        now = self._clock()
        with self._lock:
            until, page = self._pages.get(base, (0.0, HomePage()))
            if now < until:
                return page
            # Others go on with the page of before while one fetches.
            self._pages[base] = (now + _WAIT_SECONDS * 2, page)
        try:
            page, keep = self._fetch(base, persona, user_agent, io), KEEP_SECONDS
        except UpstreamError as error:
            io.call.check()
            log.info("home page not available, going on without: %s", error.message)
            keep = _RETRY_SECONDS
        with self._lock:
            self._pages[base] = (self._clock() + keep, page)
        return page

    def forget(self, base: str) -> None:
        """Fetch anew next time: the upstream refused a proof that was built on the page."""
        with self._lock:
            self._pages.pop(base, None)

    def _fetch(self, base: str, persona: Persona, user_agent: str, io: Io) -> HomePage:
        headers = {
            "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "Accept-Encoding": "gzip",
            "Accept-Language": "en-US,en;q=0.9",
            "Cookie": persona.cookie_header(),
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Site": "none",
            "Sec-Fetch-User": "?1",
            "Upgrade-Insecure-Requests": "1",
            "User-Agent": user_agent,
        }
        request = Outgoing(
            "GET",
            f"{base}/",
            headers,
            None,
            io.proxy,
            first_byte_seconds=_WAIT_SECONDS,
            idle_seconds=_WAIT_SECONDS,
            repeatable=True,
        )
        response = io.transport.open(request, io.call)
        persona.absorb(response.headers)
        if response.status != 200:
            response.close()
            raise UpstreamBadResponse(f"The home page answered {response.status}.")
        return parse_home_page(response.read(_LIMIT_BYTES).decode("utf-8", "replace"))
