"""Packing and size: honest compression, bombs, stacks and giant headers."""

from __future__ import annotations

import gzip
import zlib
from typing import Any


def test_honest_compression_unpacks_event_by_event(caller: Any, read: Any) -> None:
    answer = caller.talk("/sim text fault=gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    reading = read(gzip.decompress(answer.body))
    assert reading.done


def test_a_bomb_is_small_and_grows_by_a_thousand(caller: Any) -> None:
    answer = caller.talk("/sim text fault=bomb mib=16")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 200_000
    whole = gzip.decompress(answer.body)
    assert len(whole) == 16 * 1024 * 1024
    assert whole.startswith(b":  ")


def test_twice_compressed(caller: Any, read: Any) -> None:
    answer = caller.talk("/sim text fault=double_gzip")
    assert answer.headers["Content-Encoding"] == "gzip, gzip"
    assert read(gzip.decompress(gzip.decompress(answer.body))).done


def test_a_stack_of_encodings(caller: Any, read: Any) -> None:
    answer = caller.talk("/sim text fault=stacked count=9")
    assert answer.headers["Content-Encoding"].count("gzip") == 9
    body = answer.body
    for _ in range(9):
        body = gzip.decompress(body)
    assert read(body).done


def test_an_unknown_encoding(caller: Any) -> None:
    answer = caller.talk("/sim text fault=odd_encoding coding=br2")
    assert answer.headers["Content-Encoding"] == "br2"


def test_packing_works_on_plain_answers(caller: Any, control: Any) -> None:
    control("/next", {"endpoint": "models", "fault": "gzip"})
    answer = caller.call("GET", "/backend-api/models")
    unpacked = zlib.decompress(answer.body, zlib.MAX_WBITS | 16)
    assert b'"default_model_slug"' in unpacked
    assert "Content-Length" not in answer.headers


def test_a_giant_header(live: Any, live_caller: Any) -> None:
    headers = {**live_caller.headers, **live_caller.two_step()}
    body = live_caller.body("/sim text fault=giant_header")
    connection = live.open("POST", "/backend-api/f/conversation", headers, body)
    raw = connection.sock.makefile("rb")
    lines = []
    while (line := raw.readline()) != b"\r\n":
        lines.append(line)
    raw.close()
    connection.close()
    assert max(len(line) for line in lines) > 1024 * 1024


def test_many_header_lines(caller: Any) -> None:
    assert len(caller.talk("/sim text fault=many_headers count=3000").headers) > 3000
