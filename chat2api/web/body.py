"""Reading a request's JSON within limits: bytes after decompression, depth, count, and exactness."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from chat2api.errors import InvalidJson, JsonTooDeep, RequestError, TooLarge, UnsupportedMediaType

_PIECE_BYTES = 8_192  # small, so that a slow upload is seen to make progress
_INFLATE_BYTES = 1_048_576
_REST_SECONDS = 0.0005
_DEPTH_LOOK_BYTES = 65_536
MOST_DEPTH = 64
MOST_KEYS = 10_000
MOST_VALUES = 200_000

_MOST_QUOTES = 2 * MOST_VALUES + 2


def read_body(
    stream: Any,
    content_encoding: str,
    limit_bytes: int,
    take: Callable[[int], None] = lambda count: None,
) -> bytes:
    """The whole body. Raises TooLarge on the first byte beyond the limit, counted decompressed.

    `take` is told of each piece before it is kept, and may raise to refuse it.
    """
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return _read_plain(stream, limit_bytes, take)
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _read_compressed(stream, encoding, limit_bytes, take)
    raise UnsupportedMediaType("Content-Encoding must be gzip, deflate or identity.")


def _read_plain(stream: Any, limit: int, take: Callable[[int], None]) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while data := stream.read(min(_PIECE_BYTES, limit + 1 - size)):
        size += len(data)
        if size > limit:
            raise too_large(limit)
        take(len(data))
        pieces.append(data)
    return b"".join(pieces)


def _read_compressed(stream: Any, encoding: str, limit: int, take: Callable[[int], None]) -> bytes:
    inflate = zlib.decompressobj(15 if encoding == "deflate" else 31)
    pieces: list[bytes] = []
    size = 0
    try:
        while data := stream.read(_PIECE_BYTES):
            while data:
                piece = inflate.decompress(data, min(limit + 1 - size, _INFLATE_BYTES))
                data = inflate.unconsumed_tail
                size += len(piece)
                if size > limit:
                    raise too_large(limit)
                take(len(piece))
                pieces.append(piece)
                if len(piece) == _INFLATE_BYTES:
                    time.sleep(
                        _REST_SECONDS
                    )  # a few bytes may inflate to much: others have their turn
                if inflate.eof:
                    if inflate.unused_data or stream.read(1):
                        raise InvalidJson("Something follows the compressed request body.")
                    return b"".join(pieces)
    except zlib.error:
        raise InvalidJson("The compressed request body is damaged.") from None
    raise InvalidJson("The compressed request body is cut short.")


def too_large(limit: int) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit} bytes.")


def _too_deep() -> JsonTooDeep:
    return JsonTooDeep(f"The request body nests deeper than {MOST_DEPTH} levels.")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises InvalidJson, JsonTooDeep or RequestError; never anything else.

    Counting separators first costs microseconds and bounds what parsing can cost.
    """
    if _values(body) > MOST_VALUES and _values(_outside_strings(body)) > MOST_VALUES:
        if _nests_deeper(body[:_DEPTH_LOOK_BYTES], MOST_DEPTH):
            raise _too_deep()
        raise InvalidJson("The request body holds too many values.")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if _nests_deeper(body, MOST_DEPTH):
            raise _too_deep() from None
        where = f"line {error.lineno}, column {error.colno}" if body.strip() else "it is empty"
        raise InvalidJson(f"The request body is not valid JSON: {where}.") from None
    if not isinstance(document, dict):
        raise RequestError("The request body must be a JSON object.")
    keys = _check_shape(document)
    # Outside strings a colon stands after each key as it was written; parsing merges those that are equal.
    if body.count(b":") != keys and _outside_strings(body).count(b":") != keys:
        raise InvalidJson("The request body names a key twice in one object.")
    return document


def _values(body: bytes) -> int:
    """How many separators there are: at least as many as values but one."""
    return len(body) - len(body.translate(None, b",:[{"))


def _outside_strings(body: bytes) -> bytes:
    """`body` without its strings, in linear time also where it is no JSON at all.

    With more quotes than the values allow nothing is taken out: then there are too many anyway.
    """
    plain = body
    if b"\\" in body:
        plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > _MOST_QUOTES:
        return plain
    return b"".join(plain.split(b'"')[::2])


def _nests_deeper(body: bytes, most: int) -> bool:
    """Whether brackets outside strings nest deeper than `most`."""
    depth = 0
    for bracket in _outside_strings(body).translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > most:
                return True
        else:
            depth -= 1
            if depth < 0:
                return False
    return False


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _check_shape(document: dict[str, Any]) -> int:
    """Check depth and object sizes level by level; returns how many keys there are in all."""
    keys = 0
    level: list[Any] = [document]
    for _ in range(MOST_DEPTH):
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                keys += len(container)
                if len(container) > MOST_KEYS:
                    raise RequestError(f"An object holds more than {MOST_KEYS} keys.")
                children: Any = container.values()
            else:
                children = container
            below.extend(child for child in children if type(child) in (dict, list))
        if not below:
            return keys
        level = below
    raise _too_deep()
