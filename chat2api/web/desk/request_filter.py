"""Which requests a page shows, as its address says; so that every view has an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import url_for

from chat2api.store.request_records import RequestFilter

RANGES: Mapping[str, float] = {"1h": 3600.0, "24h": 86_400.0, "7d": 7 * 86_400.0}
"""Spans that end now, in seconds."""

_LONGEST = 200
_LATEST = 10.0**11


@dataclass(frozen=True, slots=True)
class Asked:
    """`state` is "failed" or empty for all. `since` and `until` in epoch seconds; `range` moves with time."""

    state: str = ""
    code: str = ""
    model: str = ""
    key: str = ""
    account: str = ""
    range: str = ""
    since: float | None = None
    until: float | None = None
    q: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether nothing is filtered."""
        return self == Asked()

    def without(self, *names: str) -> Asked:
        return replace(self, **{name: getattr(Asked(), name) for name in names})

    def values(self) -> dict[str, str]:
        """What of it stands in an address."""
        found: dict[str, str] = {}
        for name in ("state", "code", "model", "key", "account", "range", "q"):
            found[name] = getattr(self, name)
        for name in ("since", "until"):
            at = getattr(self, name)
            found[name] = "" if at is None else f"{at:.0f}"
        return {name: text for name, text in found.items() if text}

    def address(self, endpoint: str = "requests.page", **more: Any) -> str:
        return url_for(endpoint, **{**self.values(), **more})

    def as_filter(self, now: float) -> RequestFilter:
        since = self.since
        if self.range:
            since = now - RANGES[self.range]
        return RequestFilter(
            failed=True if self.state == "failed" else None,
            code=self.code,
            model=self.model,
            key_id=self.key,
            account_id=self.account,
            since=since,
            until=self.until,
            request_id=self.q,
        )


def asked_in(args: Mapping[str, str], zone: ZoneInfo) -> Asked:
    """What cannot be understood does not count. Times are epoch seconds, or local ones without a zone."""

    def text(name: str) -> str:
        return args.get(name, "").strip()[:_LONGEST]

    span = text("range")
    return Asked(
        state="failed" if text("state") == "failed" else "",
        code=text("code"),
        model=text("model"),
        key=text("key"),
        account=text("account"),
        range=span if span in RANGES else "",
        since=_moment(text("since"), zone),
        until=_moment(text("until"), zone),
        q=text("q"),
    )


def _moment(text: str, zone: ZoneInfo) -> float | None:
    try:
        at = float(text)
    except ValueError:
        at = _local_moment(text, zone)
    return at if 0 <= at < _LATEST else None  # not-a-number fails this too


def _local_moment(text: str, zone: ZoneInfo) -> float:
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return -1.0


def local_text(at: float | None, zone: ZoneInfo) -> str:
    """As a field for a local time takes it, to the minute."""
    if at is None:
        return ""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%dT%H:%M")
