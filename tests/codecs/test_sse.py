"""codecs.sse: framing per the standard, whatever the cuts; both decoders against a reference."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat2api.codecs.errors import CodecError
from chat2api.codecs.sse import FastSseDecoder, SseDecoder, SseRecord

LIMIT = 1 << 20

decoders = pytest.mark.parametrize("decoder", [SseDecoder, FastSseDecoder])
Decoder = type[SseDecoder] | type[FastSseDecoder]


def read(decoder: Decoder, *chunks: bytes, limit: int = LIMIT) -> list[SseRecord]:
    made = decoder(limit)
    found = [record for chunk in chunks for record in made.feed(chunk)]
    return found + made.close()


def reference(body: bytes) -> list[SseRecord]:
    """The standard's algorithm, letter by letter, without limits."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    found, data, event = [], "", ""
    for line in lines:
        if not line:
            if data:
                found.append(SseRecord(event or "message", data.removesuffix("\n")))
            data = event = ""
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data += value + "\n"
            elif field == "event":
                event = value
    return found


@decoders
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"data: a\n\n", [("message", "a")]),
        (b"event: delta\ndata: {}\n\n", [("delta", "{}")]),
        (b"event:delta\ndata:  two blanks\n\n", [("delta", " two blanks")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("message", "a"), ("message", "b"), ("message", "c")]),
        (b"data: a\r\n\n\r\r\ndata: b\r\n\r\n", [("message", "a"), ("message", "b")]),
        (b"\xef\xbb\xbfdata: first\n\ndata: second\n\n", [("message", "first"), ("message", "second")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: x\n\n", []),
        (b": ping - 2026\n\ndata: a\n: in between\nretry: 10\nid: 7\n\n", [("message", "a")]),
        (b"data: a\ndata: b\ndata:\n\n", [("message", "a\nb\n")]),
        (b"data\n\ndata\ndata\n\ndata:", [("message", ""), ("message", "\n")]),
        (b"event: x\n\ndata: a\n\n", [("message", "a")]),
        (b"event: x\nevent:\ndata: a\n\n", [("message", "a")]),
        (b"data : a\n data: b\nDATA: c\n\n", []),
        (b"data: \xff\xfe\n\n", [("message", "\ufffd\ufffd")]),
        (b"data: \xe4\xbd\n\ndata: b\n\n", [("message", "\ufffd"), ("message", "b")]),
        ("data: \u2028\u2029\u0085\x0b\x0c\x00\n\n".encode(), [("message", "\u2028\u2029\u0085\x0b\x0c\x00")]),
        (b"data: a\n\ndata: cut", [("message", "a")]),
        (b"data: a\n\ndata: cut\n", [("message", "a")]),
        (b"", []),
    ],
)  # fmt: skip
def test_reads_as_the_standard_says(
    decoder: Decoder, body: bytes, expected: list[tuple[str, str]]
) -> None:
    records = [SseRecord(*record) for record in expected]

    assert read(decoder, body) == records
    assert read(decoder, *(body[i : i + 1] for i in range(len(body)))) == records
    for cut in range(len(body) + 1):
        assert read(decoder, body[:cut], body[cut:]) == records


@decoders
def test_characters_may_be_cut_anywhere(decoder: Decoder) -> None:
    text = "👩‍👩‍👧‍👦 你好 é"
    body = f"data: {text}\n\n".encode()

    for cut in range(len(body) + 1):
        assert read(decoder, body[:cut], b"", body[cut:]) == [SseRecord("message", text)]


lines = st.sampled_from([
    b"data", b"data:", b"data: ", b"event: ", b"event", b":", b" ", b"id: 1", b"x", b"{}", b"\n", b"\n\n",
    b"\r", b"\r\n", b"\xef\xbb\xbf", b"\xff", b"\xe4\xbd\xa0", b"\xe4", b"\xf0\x9f\x98\x80", b"\x00",
    b"\x0c", "\u2028".encode(), "\u0085".encode(),
])  # fmt: skip
bodies = st.one_of(st.lists(lines, max_size=30).map(b"".join), st.binary(max_size=60))


@settings(max_examples=300)
@given(bodies, st.lists(st.integers(min_value=0, max_value=120), max_size=6))
@example(b"data: a\r\n\r\n", [8])
@example(b"\xef\xbb\xbfdata: a\n\n", [1, 2])
def test_both_decoders_equal_the_reference_on_any_bytes(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[a:b] for a, b in itertools.pairwise(edges)]
    expected = reference(body)

    assert read(SseDecoder, *chunks) == expected
    assert read(FastSseDecoder, *chunks) == expected


def outcome(decoder: Decoder, chunks: list[bytes], limit: int) -> tuple[list[SseRecord], bool]:
    """All records, and whether the stream was refused."""
    made = decoder(limit)
    found: list[SseRecord] = []
    try:
        for chunk in chunks:
            found += made.feed(chunk)
        made.close()
    except CodecError:
        return found, True
    return found, False


@settings(max_examples=300)
@example(b":\r\n", 1, 0)
@given(bodies, st.integers(min_value=1, max_value=12), st.integers(min_value=0, max_value=60))
def test_the_limit_falls_at_the_same_event_whatever_the_cuts(
    body: bytes, limit: int, cut: int
) -> None:
    whole = outcome(SseDecoder, [body], limit)

    assert outcome(FastSseDecoder, [body], limit) == whole
    assert outcome(FastSseDecoder, [body[:cut], body[cut:]], limit) == whole
    assert outcome(SseDecoder, [body[i : i + 1] for i in range(len(body))], limit) == whole


@decoders
def test_an_event_at_the_limit_passes_and_one_above_does_not(decoder: Decoder) -> None:
    assert read(decoder, b"data: 1234\n\n", limit=10) == [SseRecord("message", "1234")]

    made = decoder(10)
    with pytest.raises(CodecError, match="larger than 10 bytes"):
        made.feed(b"data: 12345")
    with pytest.raises(CodecError):
        made.feed(b"\n\ndata: a\n\n")


@decoders
def test_records_before_a_refused_event_are_not_lost(decoder: Decoder) -> None:
    made = decoder(10)

    assert made.feed(b"data: a\n\ndata: 1234567890\n\n") == [SseRecord("message", "a")]
    with pytest.raises(CodecError):
        made.close()


@decoders
@pytest.mark.timeout(30)
@pytest.mark.parametrize(("size", "chunk"), [(20 << 20, 1024), (1 << 20, 1)])
def test_a_large_event_costs_linear_time(decoder: Decoder, size: int, chunk: int) -> None:
    body = b"event: delta\ndata: " + b"x" * size + b"\n\n"
    made = decoder(32 << 20)
    found: list[SseRecord] = []
    started = time.perf_counter()
    for start in range(0, len(body), chunk):
        found += made.feed(body[start : start + chunk])

    assert time.perf_counter() - started < 15
    assert [(record.event, len(record.data)) for record in found] == [("delta", size)]


@decoders
def test_an_event_of_very_many_lines_costs_linear_time(decoder: Decoder) -> None:
    lines = 100_000

    (record,) = read(decoder, b"data: 0123456789\n" * lines + b"\n", limit=1 << 24)

    assert record.data == "\n".join(["0123456789"] * lines)
