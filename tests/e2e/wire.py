"""A raw HTTP connection, and what goes over it."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from .processes import KEY


def chat_body(text: str, *, stream: bool = True, **more: Any) -> dict[str, Any]:
    """The body of a chat request with one message."""
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-5-5", "messages": messages, "stream": stream, **more}


def sse_payloads(text: str) -> list[Any]:
    """The JSON of every data line; "[DONE]" as itself."""
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


class Wire:
    """A raw HTTP connection to a server. Reads what has come, without waiting for the end."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.headers: dict[str, str] = {}
        self._got = b""
        self._left: int | None = None  # of the body or of its chunk; None: until the end

    def ask(self, text: str, *, headers: str = "", stream: bool = True, **more: Any) -> Wire:
        """POST a chat request; `headers` are further lines, each ended by CR LF."""
        self.post(json.dumps(chat_body(text, stream=stream, **more)).encode(), headers)
        return self

    def post(self, body: bytes, headers: str = "", version: str = "1.1") -> None:
        self.send(self.post_head(len(body), headers, version) + body)

    @staticmethod
    def post_head(length: int, headers: str = "", version: str = "1.1") -> bytes:
        return (
            f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\n{headers}"
            f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def get(self, path: str) -> int:
        """The status of a GET, its body read."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        status = self.head()
        self.body()
        return status

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self) -> int:
        """Read status line and headers; the status."""
        status, *lines = self._line_block().decode("latin-1").split("\r\n")
        self.headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        length = self.headers.get("content-length")
        self._left = int(length) if length is not None else None
        return int(status.split()[1])

    def piece(self) -> bytes:
        """The next piece of the body; empty at its end. Raises EOFError where it is cut."""
        if self.headers.get("transfer-encoding") == "chunked":
            return self._chunk()
        if self._left == 0:
            return b""
        if not self._got and not self._more():
            assert self._left is None, "the body is cut"
            return b""
        size = len(self._got) if self._left is None else self._left
        data, self._got = self._got[:size], self._got[size:]
        if self._left is not None:
            self._left -= len(data)
        return data

    def body(self) -> bytes:
        """What is left of the body."""
        return b"".join(iter(self.piece, b""))

    def until(self, mark: bytes) -> bytes:
        """The body up to the piece that completes `mark`."""
        data = b""
        while mark not in data:
            piece = self.piece()
            assert piece, f"the body ended without {mark!r}: {data!r}"
            data += piece
        return data

    def hang_up(self, how: str = "close") -> None:
        """`close` as programs do; `reset` by RST; `half`: only the sending side is shut."""
        if how == "half":
            self.sock.shutdown(socket.SHUT_WR)
            return
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def is_closed(self) -> bool:
        """Whether the server closes the connection, with nothing more on it."""
        return not self._got and self._more() == b""

    def _more(self) -> bytes:
        data = self.sock.recv(262_144)
        self._got += data
        return data

    def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            if not self._more():
                raise EOFError("the connection ended inside an answer")
        data, self._got = self._got[:size], self._got[size:]
        return data

    def _line_block(self, end: bytes = b"\r\n\r\n") -> bytes:
        while end not in self._got:
            if not self._more():
                raise EOFError("the connection ended inside an answer")
        block, _, self._got = self._got.partition(end)
        return block

    def _chunk(self) -> bytes:
        size = int(self._line_block(b"\r\n"), 16)
        data = self._take(size)
        assert self._take(2) == b"\r\n"
        if size == 0:
            self.headers = {"content-length": "0"}
            self._left = 0
        return data
