"""What happened to an account, as sentences of its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from chat2api.settings.mask import clip
from chat2api.store.account_events import AccountEvent
from chat2api.web.desk.account_words import words_of
from chat2api.web.desk.fact_words import actor_words, fact_words
from chat2api.web.languages import gettext

_LONGEST = 160
_REASONS = ("reason", "message", "code")


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """`more` is what upstream, or whoever did it, said; `href` leads to the request that met it."""

    at: float
    glyph: str
    role: str
    text: str
    actor: str
    more: str
    href: str


def told_of(event: AccountEvent) -> TimelineEntry:
    glyph, role, text = _KINDS.get(event.kind, ("info", "off", lambda: clip(event.kind)))
    href = url_for("requests.one", request_id=event.request_id) if event.request_id else ""
    return TimelineEntry(
        event.at, glyph, role, text(), actor_words(event.actor), _more(event.detail), href
    )


def _more(detail: Mapping[str, Any]) -> str:
    """The values alone where they speak for themselves, else with their names."""
    parts = [
        (words_of(str(value)) if name in _REASONS else "") or fact_words(name, value)
        for name, value in detail.items()
        if value not in (None, "")
    ]
    return " · ".join(parts)[:_LONGEST]


_KINDS: Mapping[str, tuple[str, str, Callable[[], str]]] = {
    "limited": ("half", "wait", lambda: gettext("reached a limit")),
    "cooling": ("clock", "wait", lambda: gettext("began to rest")),
    "rest": ("clock", "off", lambda: gettext("stepped back after a hiccup")),
    "needs_login": ("warning", "bad", lambda: gettext("needs a login")),
    "recovered": ("check", "ok", lambda: gettext("came back")),
    "renewed": ("renew", "ok", lambda: gettext("renewed its token")),
    "renewal_failed": ("renew", "bad", lambda: gettext("could not renew its token")),
    "checked": ("probe", "ok", lambda: gettext("checked, all well")),
    "check_failed": ("probe", "wait", lambda: gettext("check failed")),
    "paused": ("pause", "off", lambda: gettext("paused")),
    "resumed": ("play", "ok", lambda: gettext("resumed")),
    "lifted": ("play", "wait", lambda: gettext("cooldown lifted without checking")),
    "removed": ("bin", "off", lambda: gettext("removed")),
    "restored": ("check", "ok", lambda: gettext("restored")),
    "described": ("pencil", "off", lambda: gettext("changed here")),
    "added": ("add", "ok", lambda: gettext("added")),
    "login": ("key", "ok", lambda: gettext("logged in")),
}
