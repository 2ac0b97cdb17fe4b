"""Recordings sent again, and baked streams."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.canned import Bakery, baked_word, events, replay
from chat2api.simulator.params import BadParameter, Params
from chat2api.simulator.turn import Turn
from chat2api.simulator.wire.items import Pause

RECORDING = b"event: a\ndata: 1\n\ndata: 2\r\n\r\n: ping\r\rdata: tail"


def test_a_recording_by_event() -> None:
    expected = [b"event: a\ndata: 1\n\n", b"data: 2\r\n\r\n", b": ping\r\r", b"data: tail"]
    assert list(events(RECORDING)) == expected
    assert list(replay({"default": RECORDING}, Params())) == expected


def test_a_recording_in_chunks_with_gaps() -> None:
    found = list(replay({"x": b"abcde"}, Params({"name": "x", "cut": "2", "gap": "0.5"})))
    assert found == [Pause(0.5), b"ab", Pause(0.5), b"cd", Pause(0.5), b"e"]


def test_an_unknown_recording_is_explained() -> None:
    with pytest.raises(BadParameter, match="no recording `x`"):
        replay({}, Params({"name": "x"}))


def test_a_recording_comes_back_byte_for_byte(caller: Any, app: Any) -> None:
    client = app.test_client()
    assert client.post("/_sim/recordings/mine", data=RECORDING).get_json()["bytes"] == len(
        RECORDING
    )
    assert caller.talk("/sim replay name=mine").body == RECORDING
    assert caller.talk("/sim replay name=mine cut=1").body == RECORDING
    assert caller.talk("/sim replay name=mine fault=status").status == 500
    assert caller.talk("/sim replay name=other").status == 400


@pytest.mark.parametrize("era", ["2024", "2026"])
@pytest.mark.parametrize("encodings", [["v1"], []])
def test_a_baked_stream_reads_as_its_words(
    encodings: list[str], era: str, caller: Any, control: Any
) -> None:
    control("/config", {"cheap": True})
    words = "/sim baked deltas=50 chars=4 gap=0"
    reading = caller.read(words, era=era, supported_encodings=encodings)
    assert reading.text == "".join(baked_word(index, 4) for index in range(50))
    assert (reading.finish_reason, reading.done) == ("stop", True)


def test_baking_is_done_once() -> None:
    bakery, turn = Bakery(), Turn("", "auto")
    params = Params({"deltas": 4, "batch": 2, "gap": 0.5})
    loaf = bakery.bake(params, "v1", turn)
    assert bakery.bake(params, "v1", turn) is loaf
    assert [one for one in loaf if isinstance(one, Pause)] == [Pause(0.5)] * 2
    assert bakery.bake(params, "snapshot", turn) is not loaf
