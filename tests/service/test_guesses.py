"""Wrong API keys by the hundred (G03)."""

from __future__ import annotations

import pytest

from chat2api.errors import TooManyLoginAttempts
from chat2api.service.guesses import WINDOW_SECONDS, KeyGuesses


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def waits(guesses: KeyGuesses, count: int, network: str = "192.0.2.1") -> list[float | None]:
    """What each of `count` failures was answered with: None for nothing, else the wait."""
    found: list[float | None] = []
    for _ in range(count):
        try:
            guesses.failed(network)
            found.append(None)
        except TooManyLoginAttempts as refusal:
            found.append(refusal.retry_after)
    return found


def test_a_few_are_free_and_then_the_wait_grows_to_a_bound() -> None:
    answers = waits(KeyGuesses(free=3, clock=Clock()), 200)
    assert answers[:3] == [None] * 3
    said = [wait for wait in answers[3:] if wait is not None]
    assert len(said) == 197
    assert said == sorted(said)
    assert (said[0], said[-1]) == (1.0, 300.0)


def test_addresses_do_not_count_for_each_other() -> None:
    guesses = KeyGuesses(free=1, clock=Clock())
    assert waits(guesses, 2, "192.0.2.1") == [None, 1.0]
    assert waits(guesses, 1, "192.0.2.2") == [None]


def test_it_is_forgotten_after_a_while() -> None:
    clock = Clock()
    guesses = KeyGuesses(free=1, clock=clock)
    waits(guesses, 5)
    clock.at = WINDOW_SECONDS + 1
    assert waits(guesses, 1) == [None]


def test_a_thousand_addresses_take_no_room_for_ever() -> None:
    guesses = KeyGuesses(free=1, clock=Clock())
    for number in range(10_050):
        guesses.failed(f"network-{number}")
    with pytest.raises(TooManyLoginAttempts):
        guesses.failed("network-10049")
    guesses.failed("network-0")  # forgotten long ago
