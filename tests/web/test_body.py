"""Reading request bodies: what is refused, as what, and at what cost."""

from __future__ import annotations

import gzip
import io
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat2api.errors import Chat2ApiError, InvalidJson, TooLarge, UnsupportedMediaType
from chat2api.web.body import MOST_KEYS, MOST_VALUES, parse_object, read_body

MB = 1024 * 1024


class Wire(io.BytesIO):
    """A body that comes in small pieces, as from a socket, and counts what is taken of it."""

    def __init__(self, content: bytes, piece: int = MB) -> None:
        super().__init__(content)
        self._piece = piece
        self.taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(min(self._piece, size) if size and size > 0 else self._piece)
        self.taken += len(data)
        return data


def refusal(body: bytes) -> tuple[int, str | None]:
    """Status and code; anything but one of our errors fails the test."""
    with pytest.raises(Chat2ApiError) as caught:
        parse_object(body)
    return caught.value.status, caught.value.code


# --- bytes


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
@pytest.mark.parametrize("piece", [1, 7, MB])
def test_a_plain_body_is_read_whole(encoding: str, piece: int) -> None:
    assert read_body(Wire(b"x" * 1000, piece), encoding, 1000) == b"x" * 1000


@pytest.mark.parametrize(
    ("encoding", "squeezed"),
    [
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)),
        ("X-GZIP ", gzip.compress(b"x" * 1000, mtime=0)),
        ("deflate", zlib.compress(b"x" * 1000)),
    ],
)
@pytest.mark.parametrize("piece", [1, MB])
def test_a_compressed_body_is_read_whole(encoding: str, squeezed: bytes, piece: int) -> None:
    assert read_body(Wire(squeezed, piece), encoding, 1000) == b"x" * 1000


def test_an_empty_body() -> None:
    assert read_body(Wire(b""), "", 10) == b""
    assert read_body(Wire(gzip.compress(b"")), "gzip", 10) == b""


def test_one_byte_more_is_too_much() -> None:
    for content, encoding in ((b"x" * 1001, ""), (gzip.compress(b"x" * 1001), "gzip")):
        with pytest.raises(TooLarge) as caught:
            read_body(Wire(content, 100), encoding, 1000)
        assert (caught.value.status, caught.value.code) == (413, "request_too_large")
        assert caught.value.message == "The request body is larger than 1000 bytes."


def test_a_huge_body_is_not_read_beyond_the_limit() -> None:
    wire = Wire(b"x" * 4 * MB)
    with pytest.raises(TooLarge):
        read_body(wire, "", MB)
    assert wire.taken == MB + 1


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    wire = Wire(gzip.compress(bytes(64 * MB), compresslevel=1))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            read_body(wire, "gzip", MB)
        assert tracemalloc.get_traced_memory()[1] < 4 * MB
    finally:
        tracemalloc.stop()


GZIPPED = gzip.compress(b'{"a": 1}', mtime=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GZIPPED[:-1], "cut short"),
        (GZIPPED[:5], "cut short"),
        (b"", "cut short"),
        (b'{"a": 1}', "damaged"),
        (GZIPPED[:-5] + b"\x00" + GZIPPED[-4:], "damaged"),
        (GZIPPED + b"more", "Something follows"),
        (GZIPPED + GZIPPED, "Something follows"),
    ],
)
@pytest.mark.parametrize("piece", [1, MB])
def test_compression_that_is_wrong(content: bytes, message: str, piece: int) -> None:
    with pytest.raises(InvalidJson, match=message):
        read_body(Wire(content, piece), "gzip", 1000)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "gzip;q=1", "\x00"])
def test_other_encodings_are_415(encoding: str) -> None:
    wire = Wire(b"x")
    with pytest.raises(UnsupportedMediaType) as caught:
        read_body(wire, encoding, 10)
    assert (caught.value.status, wire.taken) == (415, 0)


# --- JSON

INVALID = (400, "invalid_json")
TOO_DEEP = (400, "json_too_deep")
NOT_AN_OBJECT = (400, "invalid_value")


def nested(levels: int) -> bytes:
    """An object in which arrays go down to so many levels in all."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", INVALID),
        (b"  \n", INVALID),
        (b"null", NOT_AN_OBJECT),
        (b"[]", NOT_AN_OBJECT),
        (b'"{}"', NOT_AN_OBJECT),
        (b"1", NOT_AN_OBJECT),
        (b"{", INVALID),
        (b"{}{}", INVALID),
        (b"{'a': 1}", INVALID),
        (b'{"a": 1,}', INVALID),
        (b"\xef\xbb\xbf{}", INVALID),
        ('{"a": 1}'.encode("utf-16"), INVALID),
        (b'{"a": "\xff"}', INVALID),
        (b'{"a": "\xed\xa0\x80"}', INVALID),
        (b'{"a": "\\ud800"}', INVALID),
        (b'{"a": "\\udc00\\ud800"}', INVALID),
        (b'{"a": NaN}', INVALID),
        (b'{"a": Infinity}', INVALID),
        (b'{"a": -Infinity}', INVALID),
        (b'{"a": 1e999}', INVALID),
        (b'{"a": "\x00"}', INVALID),
        (b'{"a": 01}', INVALID),
        (b'{"messages"\x00: 1}', INVALID),
    ],
)
def test_what_is_no_object(body: bytes, told: tuple[int, str]) -> None:
    assert refusal(body) == told


def test_the_place_of_an_error_is_told_and_the_body_is_not() -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_object(b'{\n  "secret": x}')
    assert caught.value.message == "The request body is not valid JSON: line 2, column 13."
    with pytest.raises(InvalidJson) as empty:
        parse_object(b"")
    assert empty.value.message == "The request body is not valid JSON: it is empty."


def test_sixty_four_levels_and_no_more() -> None:
    assert parse_object(nested(64))
    assert parse_object(b'{"a":' * 64 + b"1" + b"}" * 64)
    for levels in (65, 1000, 1024, 1025, 100_000):
        assert refusal(nested(levels)) == TOO_DEEP
    assert refusal(b'{"a":' * 65 + b"1" + b"}" * 65) == TOO_DEEP
    assert refusal(b"[" * 100_000) == TOO_DEEP
    assert refusal(b'{"a":' * 60_000) == TOO_DEEP


def test_brackets_in_strings_nest_nothing() -> None:
    text = "[{" * 2000 + '\\"['
    assert parse_object(json.dumps({"a": text, '[\\"{': 1}).encode()) == {"a": text, '[\\"{': 1}
    assert refusal(b'{"a": "' + b"[" * 2000 + b'", x}') == INVALID


def test_ten_thousand_keys_and_no_more() -> None:
    most = {str(number): 1 for number in range(MOST_KEYS)}
    assert parse_object(json.dumps({"a": most}).encode()) == {"a": most}
    assert refusal(json.dumps({"a": {**most, "more": 1}}).encode()) == NOT_AN_OBJECT


def test_values_are_counted_outside_strings_only() -> None:
    text = "1,2,3:[{" * MOST_VALUES
    assert parse_object(json.dumps({"a": text}).encode()) == {"a": text}
    most = [0] * (MOST_VALUES - 2)
    assert parse_object(json.dumps({"a,": most}).encode()) == {"a,": most}
    assert refusal(json.dumps({"a": [0] * (MOST_VALUES + 1)}).encode()) == INVALID


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{"a":1,"a":2,"b" :3}',
        b'{"a":1,"a":2,"b"\n\t :3}',
        b'{"a":1,"\\u0061":2}',
        b'{"a\\"":1,"a\\"":2}',
        b'{"\\\\":1,"\\\\":2}',
        b'{"\\\\\\"":1,"\\\\\\"":2}',
        b'{"a\\":":1,"a\\":":2}',
        b'{"":1,"":2}',
        b'{"x":[{"b":{"a":1,"a":1}}]}',
        b'{"a":":","a":"\\":"}',
    ],
)
def test_a_key_named_twice_is_refused(body: bytes) -> None:
    assert refusal(body) == INVALID


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":{"b":1},"b":{"a":1}}',
        b'{"a":"b\\":","b":1}',
        b'{"a" : "\\\\", "b" : ":"}',
        b'{"\\\\":1,"\\"":2,"\\\\\\"":3}',
        b'{"a":"\\\\\\"a\\":1","b":["\\":"]}',
        b'{"a":[{"x":1},{"x":1}]}',
        b"{}",
    ],
)
def test_equal_keys_of_different_objects_are_fine(body: bytes) -> None:
    assert parse_object(body) == json.loads(body)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a million keys": lambda: b"{%s}" % b",".join(b'"%d":1' % n for n in range(1_000_000)),
    "a number of 10 MB": lambda: b'{"a":' + b"1" * 10_000_000 + b"}",
    "two million lists": lambda: b'{"a":' + b"[]," * 2_000_000 + b"}",
    "only closing brackets": lambda: b"]" * 32_000_000,
    "only quotes": lambda: b'"' * 32_000_000,
    "only escaped quotes": lambda: b'{"a":"' + b'\\"' * 4_000_000,
    "only backslashes": lambda: b'{"a":"' + b"\\" * 8_000_000,
    "only blanks": lambda: b'{"a":' + b" " * 8_000_000,
    "blanks before colons": lambda: b'{"a"' + b" " * 4_000_000 + b':"' + b'" ' * 2_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_cost_no_more_than_their_size(name: str) -> None:
    """A tenth of a second for the largest. Work that grows faster than the body would take minutes."""
    body = HOSTILE[name]()
    began = time.thread_time()
    assert refusal(body) == INVALID
    assert time.thread_time() - began < 0.6


def test_a_long_number_is_no_long_work() -> None:
    assert parse_object(b'{"a":0.' + b"1" * 1_000_000 + b"}") == {"a": 1 / 9}


# --- for any body

whole = st.integers(-(2**63), 2**64 - 1)
scalars = st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False)
keys = st.text() | st.text(st.sampled_from('":\\,{[ \n/'), max_size=5)
values = st.recursive(
    scalars | keys, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=20
)


@given(
    st.dictionaries(keys, values),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t"), ("\r\n,", "\n:")]),
)
def test_any_object_within_the_limits_is_what_the_standard_library_reads(
    document: dict[str, Any], ascii_only: bool, separators: tuple[str, str]
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, separators=separators)
    assert parse_object(text.encode()) == json.loads(text) == document


@given(st.dictionaries(keys, scalars, min_size=1), st.data(), st.sampled_from([":", " :", ":\n"]))
def test_any_repeated_key_is_found(document: dict[str, Any], data: Any, colon: str) -> None:
    again = data.draw(st.sampled_from(sorted(document)))
    pairs = [*document.items(), (again, 0)]
    order = data.draw(st.permutations(pairs))
    text = ",".join(f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in order)
    assert refusal(f"{{{text}}}".encode()) == INVALID


JSON_LIKE = st.text(st.sampled_from('{}[]":,\\ \n01-.eEtrufalsn\ud7ff'), max_size=60)


@given(
    st.binary(max_size=100) | JSON_LIKE.map(str.encode), st.sampled_from(["", "gzip", "deflate"])
)
def test_nothing_but_our_errors(content: bytes, encoding: str) -> None:
    try:
        document = parse_object(read_body(Wire(content), encoding, 90))
    except Chat2ApiError:
        return
    assert document == json.loads(content)
