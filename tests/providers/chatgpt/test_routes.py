"""Which generation of routes is tried first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from chat2api.providers.chatgpt.routes import KEEP_SECONDS, Routes

NEWER_FIRST, OLDER_FIRST = (True, False), (False, True)


@dataclass
class Place:
    """What routes look at of a session."""

    base: str = "https://upstream.test"
    anonymous: bool = False

    @property
    def prefix(self) -> str:
        return "/backend-anon" if self.anonymous else "/backend-api"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


HERE: Any = Place()
ANON: Any = Place(anonymous=True)
THERE: Any = Place("https://other.test")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def routes(clock: Clock) -> Routes:
    return Routes(clock)


def test_what_is_tried_where_nothing_is_known(routes: Routes) -> None:
    assert routes.conversation_order(HERE, "auto") == NEWER_FIRST
    assert routes.conversation_order(ANON, "auto") == OLDER_FIRST
    assert routes.sentinel_order(HERE, "auto") == NEWER_FIRST
    assert routes.sentinel_order(ANON, "auto") == NEWER_FIRST


def test_a_setting_fixes_one(routes: Routes) -> None:
    routes.note_missing(HERE, "f")
    routes.note_missing(HERE, "single")
    assert routes.conversation_order(HERE, "f") == (True,)
    assert routes.conversation_order(HERE, "classic") == (False,)
    assert routes.sentinel_order(HERE, "two_step") == (True,)
    assert routes.sentinel_order(HERE, "single") == (False,)


def test_what_was_missing_is_tried_last_for_an_hour(routes: Routes, clock: Clock) -> None:
    routes.note_missing(HERE, "f")
    routes.note_missing(HERE, "two_step")
    assert routes.conversation_order(HERE, "auto") == OLDER_FIRST
    assert routes.sentinel_order(HERE, "auto") == OLDER_FIRST
    clock.now += KEEP_SECONDS - 1
    assert routes.conversation_order(HERE, "auto") == OLDER_FIRST
    clock.now += 2
    assert routes.conversation_order(HERE, "auto") == NEWER_FIRST
    assert routes.sentinel_order(HERE, "auto") == NEWER_FIRST


def test_the_anonymous_side_is_another_place(routes: Routes) -> None:
    routes.note_missing(ANON, "classic")
    assert routes.conversation_order(ANON, "auto") == NEWER_FIRST
    assert routes.conversation_order(HERE, "auto") == NEWER_FIRST
    routes.note_missing(ANON, "f")
    assert routes.conversation_order(ANON, "auto") == OLDER_FIRST
    assert routes.conversation_order(HERE, "auto") == NEWER_FIRST


def test_another_upstream_is_another_place(routes: Routes) -> None:
    routes.note_missing(HERE, "f")
    assert routes.conversation_order(THERE, "auto") == NEWER_FIRST


def test_the_newest_finding_holds(routes: Routes) -> None:
    """An upstream that changes its generation is followed, in either direction."""
    for missing, order in (("f", OLDER_FIRST), ("classic", NEWER_FIRST), ("f", OLDER_FIRST)):
        routes.note_missing(HERE, missing)  # type: ignore[arg-type]
        assert routes.conversation_order(HERE, "auto") == order
    for missing, order in (("two_step", OLDER_FIRST), ("single", NEWER_FIRST)):
        routes.note_missing(HERE, missing)  # type: ignore[arg-type]
        assert routes.sentinel_order(HERE, "auto") == order
