"""Lanes compute what a loop over the numbers computes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat2api.compute.lanes import Lanes

WORD = 2**32
NUMBERS = st.lists(st.integers(0, WORD - 1), min_size=1, max_size=20)


def step(h: int, byte: int) -> int:
    return (h ^ byte) * 16777619 % WORD


def mix(h: int) -> int:
    h = (h ^ h >> 16) * 2246822507 % WORD
    h = (h ^ h >> 13) * 3266489909 % WORD
    return h ^ h >> 16


@given(NUMBERS)
def test_numbers_go_in_and_come_out(numbers: list[int]) -> None:
    lanes = Lanes(len(numbers))

    assert lanes.unpack(lanes.pack(numbers)) == tuple(numbers)
    assert lanes.unpack(lanes.every(numbers[0])) == (numbers[0],) * len(numbers)


@given(NUMBERS, st.data())
def test_a_step_with_a_byte_for_each_lane(numbers: list[int], data: st.DataObject) -> None:
    column = data.draw(st.binary(min_size=len(numbers), max_size=len(numbers)))
    lanes = Lanes(len(numbers))

    stepped = lanes.step(lanes.pack(numbers), lanes.spread(column))

    assert lanes.unpack(stepped) == tuple(map(step, numbers, column))


@given(NUMBERS, st.binary(max_size=50))
def test_a_text_for_all_lanes(numbers: list[int], text: bytes) -> None:
    lanes = Lanes(len(numbers))
    expected = list(numbers)
    for byte in text:
        expected = [step(h, byte) for h in expected]

    assert lanes.unpack(lanes.absorbed(lanes.pack(numbers), text)) == tuple(expected)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_the_final_mix_of_the_lower_halves(numbers: list[int]) -> None:
    lanes = Lanes(len(numbers))

    mixed = lanes.unpack(lanes.mixed(lanes.pack(numbers)))

    assert mixed == tuple(mix(number % WORD) for number in numbers)
