"""The prompt cache."""

from __future__ import annotations

from chat2api.simulator.codex.memory import PromptCache

LONG = "word " * 50  # a hundred tokens


def test_what_was_read_before_is_there() -> None:
    cache = PromptCache()
    assert cache.read("ann", "key", [LONG, LONG]) == 0
    once = cache.read("ann", "key", [LONG, LONG, "more"])
    assert once == cache.read("ann", "key", [LONG, LONG, "more"])
    assert (once > 0, once % 64) == (True, 0)


def test_only_the_same_beginning_counts() -> None:
    cache = PromptCache()
    cache.read("ann", "key", [LONG, LONG])
    assert cache.read("ann", "key", ["other", LONG]) == 0
    assert cache.read("ann", "key", ["other", "short"]) == 0


def test_keys_and_accounts_are_apart() -> None:
    cache = PromptCache()
    cache.read("ann", "key", [LONG] * 3)
    assert cache.read("bob", "key", [LONG] * 3) == 0
    assert cache.read("ann", "other", [LONG] * 3) == 0
