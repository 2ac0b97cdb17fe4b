"""Slots: order, cancellation, deadlines, and that no place is ever lost."""

from __future__ import annotations

import math
import threading
import time

import pytest

from chat2api.compute.protocol import ComputeFailed, ComputeTimeout
from chat2api.compute.slots import Slots
from chat2api.errors import ClientGone
from chat2api.lifetime.call import Call


def waiting(slots: Slots) -> int:
    return len(slots._waiting)


class Taker(threading.Thread):
    """Takes a place, notes its name, gives the place back."""

    def __init__(self, slots: Slots, call: Call, log: list[str], name: str) -> None:
        super().__init__()
        self._slots, self._call, self._log, self._label = slots, call, log, name
        queued = waiting(slots)
        self.start()
        while waiting(slots) == queued:
            time.sleep(0.001)

    def run(self) -> None:
        try:
            self._slots.acquire(self._call)
        except Exception as error:
            self._log.append(f"{self._label}: {type(error).__name__}")
        else:
            self._log.append(self._label)
            self._slots.release()


def test_places_are_given_in_order() -> None:
    slots, log = Slots(1), []
    slots.acquire(Call(math.inf))
    takers = [Taker(slots, Call(math.inf), log, name) for name in "abcd"]

    slots.release()
    for taker in takers:
        taker.join(5)

    assert log == ["a", "b", "c", "d"]


def test_who_gives_up_loses_the_place_in_the_queue_only() -> None:
    slots, log = Slots(1), []
    slots.acquire(Call(math.inf))
    impatient = Call(math.inf)
    takers = [
        Taker(slots, impatient, log, "cancelled"),
        Taker(slots, Call(time.monotonic() + 0.05), log, "late"),
        Taker(slots, Call(math.inf), log, "patient"),
    ]

    impatient.cancel(ClientGone("gone"))
    takers[0].join(5)
    takers[1].join(5)
    slots.release()
    takers[2].join(5)

    assert log == ["cancelled: ClientGone", "late: ComputeTimeout", "patient"]
    slots.acquire(Call(math.inf))  # the place is free again


def test_a_place_granted_to_a_cancelled_call_goes_on() -> None:
    slots = Slots(1)
    slots.acquire(Call(math.inf))

    class CancelledWhenGranted(Call):
        """The grant and the cancellation fall together."""

        def remaining(self) -> float:
            slots.release()
            self.cancel(ClientGone("gone"))
            return 1.0

    with pytest.raises(ClientGone):
        slots.acquire(CancelledWhenGranted(math.inf))

    slots.acquire(Call(time.monotonic() + 1))


def test_a_full_house_turns_away_at_the_deadline() -> None:
    slots = Slots(1)
    slots.acquire(Call(math.inf))

    with pytest.raises(ComputeTimeout, match="before the deadline"):
        slots.acquire(Call(time.monotonic() - 1))

    slots.release()
    slots.acquire(Call(math.inf))


def test_closing_turns_everybody_away() -> None:
    slots, log = Slots(1), []
    slots.acquire(Call(math.inf))
    taker = Taker(slots, Call(math.inf), log, "waiting")

    slots.close()
    taker.join(5)

    assert log == ["waiting: ComputeFailed"]
    with pytest.raises(ComputeFailed):
        slots.acquire(Call(math.inf))
