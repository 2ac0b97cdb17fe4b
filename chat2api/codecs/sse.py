"""Server-sent events: bytes in, whole records out, within a size limit. No I/O.

Framing is ours: line ends become LF, a byte order mark goes, an event is cut where its empty line is
and never grows past the limit. Whole events are then read either by sseclient-py (`SseDecoder`) or
directly (`FastSseDecoder`, for the hot path of a conversation). Both give the same records for the same
bytes, however these are cut; the property tests hold them to it.

Handing raw chunks to sseclient-py would not do (measured on 1.9): it merges events on mixed line ends,
loses the first one after a byte order mark, dispatches a truncated tail, dies on bad UTF-8, and copies
quadratically.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sseclient import SSEClient

from chat2api.codecs.errors import CodecError

_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = b"\n\n"

# Above this, a payload is decoded through a view: one copy less where it matters.
_LARGE_BYTES = 1 << 16

# sseclient-py joins the lines of an event one by one, each time copying all before.
_SSECLIENT_LINES = 256


@dataclass(frozen=True, slots=True)
class SseRecord:
    """One dispatched event. `event` is "message" when the stream named none; `data` may be empty."""

    event: str
    data: str


class Decoder(Protocol):
    """Bytes in, records out."""

    def feed(self, data: bytes) -> list[SseRecord]:
        """The records that `data` completes.

        Raises CodecError for an event above the limit. Records complete before that event are handed
        out first: the error then waits for the next call. After an error every call raises it again.
        """

    def close(self) -> list[SseRecord]:
        """The stream is over. What it left unfinished is not an event and is dropped.

        Raises CodecError if one was still waiting to be raised.
        """


class SseDecoder:
    """Reads whole events with sseclient-py. For every stream but the hottest."""

    __slots__ = ("_framer",)

    def __init__(self, event_limit_bytes: int) -> None:
        self._framer = _Framer(event_limit_bytes)

    def feed(self, data: bytes) -> list[SseRecord]:
        records: list[SseRecord] = []
        for block in self._framer.feed(data):
            if block.count(b"\n") > _SSECLIENT_LINES:
                record = _read_block(block)
                if record is not None:
                    records.append(record)
            else:
                records += _read_with_sseclient(block)
        return records

    def close(self) -> list[SseRecord]:
        self._framer.close()
        return []


class FastSseDecoder:
    """Reads whole events directly, the usual shapes without looking at each line."""

    __slots__ = ("_framer",)

    def __init__(self, event_limit_bytes: int) -> None:
        self._framer = _Framer(event_limit_bytes)

    def feed(self, data: bytes) -> list[SseRecord]:
        return [
            record
            for block in self._framer.feed(data)
            if (record := _read_block(block)) is not None
        ]

    def close(self) -> list[SseRecord]:
        self._framer.close()
        return []


class _Framer:
    """Cuts a byte stream into events: blocks of LF-ended lines, without the empty line that ends them.

    A block may begin with one LF (the second half of a longer run of empty lines), which means nothing.
    """

    __slots__ = ("_after_cr", "_error", "_head", "_limit", "_tail")

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._head: bytes | None = b""  # the stream's first bytes, while they may be a BOM
        self._after_cr = False
        self._tail = bytearray()  # the block that is still open
        self._error: CodecError | None = None

    def feed(self, data: bytes) -> list[bytes | bytearray]:
        self._raise_refusal()
        if self._head is not None:
            data = self._without_bom(data)
        if data and (self._after_cr or b"\r" in data):
            data = self._with_line_feeds(data)
        if not data:
            return []
        blocks: list[bytes | bytearray] = []
        if self._tail:
            data = self._end_tail(data, blocks)
        if data:
            self._cut(data, blocks)
        if not blocks:
            self._raise_refusal()
        return blocks

    def close(self) -> None:
        self._tail = bytearray()
        self._raise_refusal()

    def _without_bom(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _with_line_feeds(self, data: bytes) -> bytes:
        """CRLF and CR become LF. A CR counts at once; the LF of its pair may come with the next chunk."""
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _end_tail(self, data: bytes, blocks: list[bytes | bytearray]) -> bytes:
        """Continue the open block with `data`; return what lies behind its end (empty: nothing more to cut)."""
        if self._tail.endswith(b"\n") and data.startswith(b"\n"):
            self._tail.pop()
            rest = data[1:]
        else:
            end = data.find(_BLANK_LINE)
            if end < 0:
                self._extend_tail(data)
                return b""
            if len(self._tail) + end > self._limit:
                self._refuse()
                return b""
            self._tail += data[:end]
            rest = data[end + len(_BLANK_LINE) :]
        blocks.append(self._tail)
        self._tail = bytearray()
        return rest

    def _cut(self, data: bytes, blocks: list[bytes | bytearray]) -> None:
        """Cut what begins at a block's beginning."""
        *whole, rest = data.split(_BLANK_LINE)
        for block in whole:
            if len(block) > self._limit:
                self._refuse()
                return
            if block:
                blocks.append(block)
        if rest:
            self._extend_tail(rest)

    def _extend_tail(self, data: bytes) -> None:
        # A last LF may be the first half of the empty line, then it is not part of the event.
        size = len(self._tail) + len(data) - data.endswith(b"\n")
        if size > self._limit:
            self._refuse()
        else:
            self._tail += data

    def _raise_refusal(self) -> None:
        if self._error is not None:
            raise self._error

    def _refuse(self) -> None:
        self._tail = bytearray()
        self._error = CodecError(f"an event is larger than {self._limit} bytes")


def _read_with_sseclient(block: bytes | bytearray) -> list[SseRecord]:
    if not block.isascii():
        block = block.decode("utf-8", "replace").encode()
    # An iterator, because the client logs what it is given, and payloads carry secrets.
    whole = iter((bytes(block) + _BLANK_LINE,))
    return [SseRecord(found.event, found.data) for found in SSEClient(whole).events()]


def _read_block(block: bytes | bytearray) -> SseRecord | None:
    """The record of one event, or None when it has no data. Usual shapes first."""
    name = "message"
    start = 0
    if block.startswith(b"event: "):
        start = block.find(b"\n") + 1
        if start == 0:
            return None
        name = block[7 : start - 1].decode("utf-8", "replace") or "message"
    if block.startswith(b"data: ", start) and block.find(b"\n", start) < 0:
        return SseRecord(name, _text(block, start + 6))
    return _read_lines(block)


def _text(block: bytes | bytearray, start: int) -> str:
    if len(block) < _LARGE_BYTES:
        return block[start:].decode("utf-8", "replace")
    with memoryview(block) as view:
        return str(view[start:], "utf-8", "replace")


def _read_lines(block: bytes | bytearray) -> SseRecord | None:
    """Any event, line by line, as the standard says."""
    name = b""
    data: list[bytes | bytearray] = []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = bytes(value.removeprefix(b" "))
    if not data:
        return None
    text = b"\n".join(data).decode("utf-8", "replace")
    return SseRecord(name.decode("utf-8", "replace") or "message", text)
