"""Seats for callers without an account of the pool."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from chat2api.errors import Overloaded
from chat2api.service.seats import OpenSeats


def test_no_more_than_there_are() -> None:
    seats = OpenSeats(2)
    with seats.taken(), seats.taken(), pytest.raises(Overloaded) as refused, seats.taken():
        pass
    assert refused.value.retry_after == 5


def test_a_seat_is_free_again_however_it_was_left() -> None:
    seats = OpenSeats(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), seats.taken():
            _ = 1 / 0
    with seats.taken():
        pass


def test_no_bound() -> None:
    seats = OpenSeats(0)
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(seats.taken())
