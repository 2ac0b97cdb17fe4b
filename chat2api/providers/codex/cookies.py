"""The cookies of Cloudflare, kept for each account and way out; no others."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping

_COOKIE = re.compile(
    r"(?:^|[,\s])(?P<name>__cf_bm|_cfuvid|cf_clearance)=(?P<value>[!-:<-~]{0,4096})"
)

Key = tuple[str, str]
"""An account's subject and its way out: these cookies hang on the address they were given to."""


class CookieJars:
    """Those in use, the least recently used forgotten beyond `most`. For many threads at once."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._jars: OrderedDict[Key, dict[str, str]] = OrderedDict()
        self._lock = threading.Lock()

    def header(self, key: Key) -> str:
        """The value of a Cookie header; empty for none."""
        with self._lock:
            jar = self._jars.get(key)
            if jar is None:
                return ""
            self._jars.move_to_end(key)
            return "; ".join(f"{name}={value}" for name, value in jar.items())

    def absorb(self, key: Key, headers: Mapping[str, str]) -> None:
        """Keep what an answer sets; repeated headers come joined by commas."""
        found = list(_COOKIE.finditer(headers.get("set-cookie", "")))
        if not found:
            return
        with self._lock:
            jar = self._jars.setdefault(key, {})
            self._jars.move_to_end(key)
            for cookie in found:
                if cookie["value"]:
                    jar[cookie["name"]] = cookie["value"]
                else:
                    jar.pop(cookie["name"], None)
            if len(self._jars) > self._most:
                self._jars.popitem(last=False)
