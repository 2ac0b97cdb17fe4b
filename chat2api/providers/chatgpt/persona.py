"""The browser an account appears as: stable ids, its cookies, its clock. One per account and upstream."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping

from chat2api.providers.chatgpt.proof import timezone_offset_minutes

_MOST_COOKIES = 40

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[!-:<-~]{1,4096}")
# Several headers arrive joined by commas; dates hold commas too, but no name with an equals sign after one.
_BORDER = re.compile(r",\s*(?=[!#$%&'*+.^_`|~0-9A-Za-z-]+=)")
_REMOVAL = re.compile(
    r"(?:^|;)\s*(?:max-age\s*=\s*\"?(?:-|0+\"?\s*(?:;|$))|expires\s*=[^;]*\b1970\b)", re.IGNORECASE
)
_OPENING_SECONDS = 540.0


class Persona:
    """`device_id` follows from the subject, so it stays the same over restarts and machines; an account
    that had one before it came here keeps that."""

    language = "en-US"
    timezone = "America/New_York"

    def __init__(self, subject: str, device_id: str = "") -> None:
        self.subject = subject
        derived = str(uuid.uuid5(uuid.NAMESPACE_URL, f"chat2api:device:{subject}"))
        self.device_id = device_id or derived
        self.session_id = str(uuid.uuid4())
        self.opened = time.time()
        self._openings: dict[str, tuple[object, float, str]] = {}
        self._cookies: dict[str, str] = {"oai-did": self.device_id}
        self._lock = threading.Lock()

    @property
    def timezone_offset_min(self) -> int:
        return timezone_offset_minutes(time.time())

    def opening_token(self, kind: str, page: object, make: Callable[[], str]) -> str:
        """The token of this kind that was made on this page, or a new one."""
        known_page, until, token = self._openings.get(kind, (None, 0.0, ""))
        if known_page is page and time.monotonic() < until:
            return token
        token = make()
        self._openings[kind] = (page, time.monotonic() + _OPENING_SECONDS, token)
        return token

    def cookie_header(self) -> str:
        with self._lock:
            return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def absorb(self, headers: Mapping[str, str]) -> None:
        """Keep what a response sets. Attributes are ignored except a removal: everything goes to one host."""
        text = headers.get("set-cookie")
        if not text:
            return
        with self._lock:
            for cookie in _BORDER.split(text, _MOST_COOKIES)[:_MOST_COOKIES]:
                pair, _, attributes = cookie.partition(";")
                name, _, value = (part.strip() for part in pair.partition("="))
                if not value or _REMOVAL.search(attributes):
                    self._cookies.pop(name, None)
                elif _NAME.fullmatch(name) and _VALUE.fullmatch(value) and self._has_room_for(name):
                    self._cookies[name] = value

    def _has_room_for(self, name: str) -> bool:
        return name in self._cookies or len(self._cookies) < _MOST_COOKIES


class Personas:
    """The personas in use, the least recently used forgotten beyond `most`."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str, str], Persona] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, base: str, subject: str, device_id: str = "") -> Persona:
        key = (base, subject, device_id)
        with self._lock:
            persona = self._known.get(key)
            if persona is None:
                persona = self._known[key] = Persona(subject, device_id)
                if len(self._known) > self._most:
                    self._known.popitem(last=False)
            else:
                self._known.move_to_end(key)
            return persona
