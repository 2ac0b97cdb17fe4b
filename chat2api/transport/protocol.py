"""The one seam to the upstreams: open a request, read the answer as it comes, or give up.

Providers speak to this and never to an HTTP library; tests answer it from memory or over real sockets.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Protocol

from chat2api.lifetime.call import Call
from chat2api.secret import Secret


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One upstream request. `body` is sent as it is; header values are final.

    Seconds: `first_byte_seconds` bounds the wait for the response headers, `idle_seconds` each silence
    in the body. `proxy` is a proxy URL, possibly with a password. `repeatable` allows sending it again
    when a kept-alive connection turns out to be closed before any byte of an answer.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    proxy: Secret | None = None
    first_byte_seconds: float = 60.0
    idle_seconds: float = 90.0
    repeatable: bool = False


class Response(Protocol):
    """An answer whose headers are here. Closing it early closes its connection."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Case-insensitive."""

    def chunks(self) -> Generator[bytes, None, None]:
        """The body as it arrives, decoded, never empty pieces.

        Raises UpstreamConnectionError (reset), UpstreamTruncated (framing cut short),
        UpstreamTimeout (silent beyond `idle_seconds`), UpstreamBadResponse (undecodable encoding),
        or whatever the call was cancelled with.
        """

    def hurry(self, seconds: float) -> None:
        """From here on no read waits longer than this: the rest is wanted only if it is nearly here."""

    def read(self, limit_bytes: int) -> bytes:
        """The whole body; UpstreamBadResponse beyond the limit. Closes the response."""

    def close(self) -> None: ...


class Transport(Protocol):
    def open(self, request: Outgoing, call: Call) -> Response:
        """Send and wait for the headers; redirects are returned, never followed.

        Raises UpstreamConnectionError (the message names the stage: dns, connect, tls, proxy, send),
        UpstreamTimeout, UpstreamBadResponse (headers that cannot be parsed), RequestError (a header
        value that may not be sent), or what the call was cancelled with.
        """
