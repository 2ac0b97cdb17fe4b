"""Spellings and chunk borders: the same events, however they are written and cut."""

from __future__ import annotations

from typing import Any

import pytest

from chat2api.simulator.faults import spelling
from chat2api.simulator.params import Params
from chat2api.simulator.wire.items import Break, Pause

BY_NAME = {fault.name: fault for fault in spelling.FAULTS}


@pytest.mark.parametrize("scenario", ["text", "unicode", "search"])
@pytest.mark.parametrize("fault", [name for name in BY_NAME if name not in ("big", "joined")])
def test_the_answer_reads_the_same(scenario: str, fault: str, caller: Any, control: Any) -> None:
    reading = caller.read(f"/sim {scenario} fault={fault}")
    expected = control("/requests")["requests"][-1]["expected"]
    assert reading.text == expected["raw"]
    assert reading.done


def pieces(name: str, *given: Any, **params: Any) -> list[Any]:
    stage = BY_NAME[name].pieces
    assert stage is not None
    return list(stage(iter(given), Params(params)))


def test_every_byte_alone() -> None:
    assert pieces("bytes", "é\n".encode(), Pause(1)) == [b"\xc3", b"\xa9", b"\n", Pause(1)]


def test_chunks_of_a_size() -> None:
    assert pieces("chunks", b"abcdefgh", size=3) == [b"abc", b"def", b"gh"]


def test_cuts_at_the_worst_places() -> None:
    cut = pieces("split", b"data: one\r\n\r\n", b"data: two\r\n\r\n")
    assert b"".join(cut) == b"data: one\r\n\r\ndata: two\r\n\r\n"
    assert cut == [b"dat", b"a: ", b"one\r\n\r", b"\ndat", b"a: ", b"two\r\n\r", b"\n"]


def test_everything_at_once() -> None:
    assert pieces("joined", b"a", Pause(1), b"b", Break("reset"), b"c") == [
        b"ab",
        Break("reset"),
        b"c",
    ]


def test_one_enormous_line() -> None:
    found = pieces("big", b"first\n\n", b"second\n\n", mib=2)
    assert found[0] == b"first\n\n"
    assert found[-1] == b"second\n\n"
    line = b"".join(found[1:-1])
    assert line.startswith(b'data: {"type":"blob","payload":"QUJD')
    assert line.endswith(b'"}\n\n')
    assert len(line) > 2 * 1024 * 1024


def test_a_live_stream_is_really_cut_in_single_bytes(
    live: Any, live_caller: Any, read: Any
) -> None:
    headers = {**live_caller.headers, **live_caller.two_step()}
    body = live_caller.body("/sim text words=2 fault=bytes+mixed")
    connection = live.open("POST", "/backend-api/f/conversation", headers, body)
    response = connection.getresponse()
    raw = response.fp.read(60)  # below the chunked framing
    connection.close()
    assert set(raw.split(b"\r\n")[:9:2]) == {b"1"}
