"""How long a server with many accounts and keys takes to start, and to show its token page (D18)."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from benchmarks.accounts import filled
from benchmarks.figures import Figure
from benchmarks.processes import KEY, Server, Upstream, chat2api
from chat2api.store.api_keys import ApiKeys

_ACCOUNTS = 10_000
_KEYS = 1_000
_MOST_START_SECONDS = 5.0
_MOST_PAGE_MS = 300.0


def starts(source: Upstream, rounds: int) -> list[Figure]:
    began: list[float] = []
    pages: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        with closing(filled(Path(folder), _ACCOUNTS)) as store:
            for number in range(_KEYS):
                ApiKeys(store).create(f"key {number}")
        for _ in range(rounds):
            at = time.monotonic()
            with chat2api(source, DATA_DIR=folder) as server:
                began.append(time.monotonic() - at)
                _page_ms(server)  # the first one reads templates
                pages.append(_page_ms(server))
    size = f"{_ACCOUNTS:,} accounts and {_KEYS:,} keys"
    return [
        Figure(f"start, {size}", "s", began, highest=_MOST_START_SECONDS),
        Figure(f"token page, {size}", "ms", pages, highest=_MOST_PAGE_MS),
    ]


def _page_ms(server: Server) -> float:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/tokens",
        headers={"Authorization": f"Bearer {KEY}", "Accept": "text/html"},
    )
    at = time.monotonic()
    with urllib.request.urlopen(request, timeout=30) as response:
        response.read()
    return (time.monotonic() - at) * 1000
