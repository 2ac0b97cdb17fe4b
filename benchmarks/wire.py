"""HTTP/1.1 answers read from raw bytes, and whether they say exactly what they should. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any


class Wrong(Exception):
    """The answer is not what it should be."""


class ResponseReader:
    """One answer, fed as it arrives: `Content-Length` or chunked."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = bytearray()
        self.done = False
        self._pending = bytearray()
        self._chunked = False
        self._length = 0

    def feed(self, data: bytes) -> None:
        if self.done:
            raise Wrong(f"bytes after the end: {data[:80]!r}")
        self._pending += data
        if self.status is None and not self._read_head():
            return
        if self._chunked:
            self._read_chunks()
        else:
            self._read_plain()
        self._refuse_surplus()

    def _refuse_surplus(self) -> None:
        if self.done and self._pending:
            raise Wrong(f"bytes after the end: {bytes(self._pending[:80])!r}")

    def _read_head(self) -> bool:
        end = self._pending.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = self._pending[:end].decode("latin-1").split("\r\n")
        del self._pending[: end + 4]
        self.status = int(first.split()[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        self._chunked = headers.get("transfer-encoding") == "chunked"
        if not self._chunked:
            self._length = int(headers["content-length"])
        return True

    def _read_plain(self) -> None:
        self.body += self._pending
        self._pending.clear()
        if len(self.body) > self._length:
            raise Wrong("more bytes than announced")
        self.done = len(self.body) == self._length

    def _read_chunks(self) -> None:
        """Whole chunks only; there are no trailers."""
        while not self.done:
            head = self._pending.find(b"\r\n")
            if head < 0:
                return
            size = int(self._pending[:head], 16)
            end = head + 2 + size
            if len(self._pending) < end + 2:
                return
            if self._pending[end : end + 2] != b"\r\n":
                raise Wrong("a chunk does not end with CRLF")
            self.body += self._pending[head + 2 : end]
            del self._pending[: end + 2]
            self.done = size == 0


@dataclass(frozen=True, slots=True)
class Check:
    """What an answer must be. `kind`: "bytes" (exactly `expected`, in base64), or a completion with the
    text `expected`, as "stream" or as "json"."""

    kind: str
    expected: str

    def __call__(self, reader: ResponseReader) -> None:
        """Raises Wrong."""
        body = bytes(reader.body)
        if reader.status != 200:
            raise Wrong(f"status {reader.status}: {body[:200]!r}")
        if self.kind == "bytes":
            if body != base64.b64decode(self.expected):
                raise Wrong("the bytes differ")
        elif self.kind == "json":
            _check_json(json.loads(body), self.expected)
        else:
            _check_stream(body, self.expected)


def _check_json(answer: Any, text: str) -> None:
    choice = answer["choices"][0]
    if choice["finish_reason"] != "stop" or choice["message"]["content"] != text:
        raise Wrong(f"not the answer expected: {choice!r:.200}")


def _check_stream(body: bytes, text: str) -> None:
    """Every byte belongs to a chunk of one completion, the texts join up, and the end is marked once."""
    *events, end, nothing = body.split(b"\n\n")
    if end != b"data: [DONE]" or nothing:
        raise Wrong(f"no proper end: {body[-200:]!r}")
    events = [event for event in events if not event.startswith(b":")]
    if not all(event.startswith(b"data: {") for event in events):
        raise Wrong("something else than chunks")
    chunks = [json.loads(event[6:]) for event in events]
    if len({chunk["id"] for chunk in chunks}) != 1:
        raise Wrong("more than one id")
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    said = "".join(choice["delta"].get("content") or "" for choice in choices)
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    if said != text or reasons != ["stop"]:
        raise Wrong(f"{len(said)} of {len(text)} characters, finished {reasons}")
