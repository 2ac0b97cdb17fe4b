"""Stored keys over an outage: known ones go on for a while, revoked ones never again (E04, E06, G05)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from chat2api.errors import StorageUnavailable
from chat2api.service import key_cache
from chat2api.service.key_cache import KeyCache
from chat2api.store.api_keys import ApiKey

KEY = ApiKey("key_1", "Bob", "named", "sk-…ssss", "h1")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Source:
    """A database with one key, which counts the questions."""

    def __init__(self) -> None:
        self.keys = {"h1": KEY}
        self.is_away = False
        self.asked = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def find(self, key_hash: str) -> ApiKey | None:
        self.asked += 1
        if self.is_away:
            raise StorageUnavailable("The database does not answer.")
        found = self.keys.get(key_hash)
        self.meanwhile()
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: Clock) -> KeyCache:
    return KeyCache(source, 300.0, clock)


def unsure(cache: KeyCache, key_hash: str = "h1") -> float | None:
    with pytest.raises(StorageUnavailable) as caught:
        cache.find(key_hash)
    assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    return caught.value.retry_after


def test_a_key_is_asked_for_every_one_and_a_half_seconds(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    for at in (0.0, 1.0, 1.4, 1.5, 2.9, 3.0):
        clock.now = 100.0 + at
        assert cache.find("h1") == KEY
    assert source.asked == 3


def test_a_revoked_key_is_known_within_two_seconds(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    assert cache.find("h1") == KEY
    source.keys["h1"] = revoked = replace(KEY, revoked_at=1.0)
    clock.now += 1.5
    assert cache.find("h1") == revoked


def test_a_wrong_key_is_not_remembered(cache: KeyCache, source: Source) -> None:
    """So a new key works at once, and nobody pushes good keys out with wrong ones."""
    assert (cache.find("h2"), cache.find("h2")) == (None, None)
    source.keys["h2"] = replace(KEY, key_hash="h2")
    assert cache.find("h2") == source.keys["h2"]
    assert source.asked == 3


def test_a_known_key_goes_on_while_the_database_is_away(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    assert cache.find("h1") == KEY
    source.is_away = True
    for at in (1.5, 100.0, 299.9):
        clock.now = 100.0 + at
        assert cache.find("h1") == KEY
    clock.now = 400.0
    assert unsure(cache) == 2
    source.is_away = False
    clock.now += 2
    assert cache.find("h1") == KEY


def test_an_unknown_key_is_not_refused_while_nobody_can_tell(
    cache: KeyCache, source: Source
) -> None:
    source.is_away = True
    unsure(cache)
    unsure(cache, "h2")


def test_without_grace_nothing_goes_on(source: Source, clock: Clock) -> None:
    cache = KeyCache(source, 0.0, clock)
    cache.find("h1")
    source.is_away = True
    clock.now += 1.5
    unsure(cache)


def test_a_revoked_key_does_not_come_alive_again(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    cache.find("h1")
    source.keys["h1"] = revoked = replace(KEY, revoked_at=1.0)
    clock.now += 1.5
    cache.find("h1")
    source.is_away = True
    clock.now += 10
    assert cache.find("h1") == revoked


def test_a_late_answer_does_not_pass_for_a_new_one(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    """One asks and is slow; meanwhile the key is revoked, and another asks and learns it."""
    revoked = replace(KEY, revoked_at=1.0)

    def meanwhile() -> None:
        source.meanwhile = lambda: None
        source.keys["h1"] = revoked
        clock.now += 1
        assert cache.find("h1") == revoked

    source.meanwhile = meanwhile
    assert cache.find("h1") == KEY
    assert cache.find("h1") == revoked


def test_a_key_that_is_gone_is_gone(cache: KeyCache, source: Source, clock: Clock) -> None:
    cache.find("h1")
    del source.keys["h1"]
    clock.now += 1.5
    assert cache.find("h1") is None
    source.is_away = True
    unsure(cache)


def test_a_database_that_is_away_is_asked_now_and_then_only(
    cache: KeyCache, source: Source, clock: Clock
) -> None:
    """Each question waits some seconds; with one a request all of them would."""
    cache.find("h1")
    source.is_away = True
    clock.now += 1.5
    asked = source.asked
    for _ in range(20):
        assert cache.find("h1") == KEY
        unsure(cache, "h2")
    assert source.asked == asked + 1
    clock.now += 2
    for _ in range(20):
        cache.find("h1")
    assert source.asked == asked + 2


def test_only_so_many_are_kept(
    cache: KeyCache, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_cache, "MOST_KEPT", 3)
    source.keys = {f"h{n}": replace(KEY, key_hash=f"h{n}") for n in range(5)}
    for name in source.keys:
        cache.find(name)
    source.is_away = True
    unsure(cache, "h0")
    assert [cache.find(f"h{n}") for n in (2, 3, 4)] == [source.keys[f"h{n}"] for n in (2, 3, 4)]
