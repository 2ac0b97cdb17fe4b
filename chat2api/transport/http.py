"""Bytes out and in over HTTP: requests' adapters with pooled connections, one per proxy.

No sessions: cookies belong to accounts, redirects are never followed, retries are the service's, and the
environment's proxies are not looked at. Silence, deadlines and hang-ups are the watchdog's business, so
sockets themselves carry no read timeout.
"""

from __future__ import annotations

import errno
import http.client
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any

import requests
from requests.models import PreparedRequest
from urllib3 import exceptions as urllib3_errors

from chat2api.errors import (
    Chat2ApiError,
    InternalError,
    Overloaded,
    RequestError,
    UpstreamBadResponse,
    UpstreamConnectionError,
    UpstreamError,
    UpstreamTruncated,
)
from chat2api.lifetime.call import Call
from chat2api.lifetime.watchdog import Watchdog
from chat2api.secret import Secret
from chat2api.transport.connections import Headers, TrackingAdapter
from chat2api.transport.far_clock import FarClock
from chat2api.transport.flow import Flow, current_flow
from chat2api.transport.protocol import Outgoing

log = logging.getLogger(__name__)

_READ_BYTES = 65_536
_ENCODINGS = {"", "identity", "gzip", "deflate"}
_MOST_PROXIES = 256

# A socket that always has data never lets the other green threads run, and waking each other up is not
# enough: the loop looks at sockets again only when everybody waits for something outside.
_LONGEST_RUN_SECONDS = 0.01
_REST_SECONDS = 0.0005

_SWEEP_SECONDS = 10.0
_IDLE_SECONDS = 30.0
_PROXY_FAILED = "Could not reach the upstream: the proxy failed (stage: proxy)."
_TLS_FAILED = "Could not reach the upstream: TLS failed (stage: tls)."
_BAD_ADDRESS = "The upstream's address is not usable; check CHATGPT_BASE_URL."


class _ClosedEarly(UpstreamConnectionError):
    """Closed before any byte of an answer: often a kept-alive connection that had gone stale."""


class HttpTransport:
    """`Transport` over real sockets. Made once per worker process, shared by all its requests."""

    def __init__(
        self, watchdog: Watchdog, *, connect_seconds: float = 10.0, connections: int = 4096
    ) -> None:
        self._watchdog = watchdog
        self._connect_seconds = connect_seconds
        self._connections = connections
        self.far_clock = FarClock()
        self._adapters: OrderedDict[str | None, TrackingAdapter] = OrderedDict()
        self._lock = threading.Lock()
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        watchdog.add(self)

    def tick(self, now: float) -> None:
        """Every few seconds, let go of connections nobody needs: their peers close them sooner or later."""
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_SECONDS
        with self._lock:
            adapters = list(self._adapters.values())
        for adapter in adapters:
            adapter.drop_idle(now - _IDLE_SECONDS)

    def open(self, request: Outgoing, call: Call) -> HttpResponse:
        call.check()
        flow = Flow(call, request.first_byte_seconds)
        adapter = self._adapter(request.proxy)
        self._watchdog.add(flow)
        try:
            with call.waking(flow.end), current_flow(flow):
                flow.wait_begins()
                try:
                    raw = self._send(adapter, request, flow)
                except _ClosedEarly:
                    if not request.repeatable:
                        raise
                    raw = self._send(adapter, request, flow)
                flow.wait_ends()
            if request.proxy is not None and raw.status_code == 407:
                raw.close()
                raise UpstreamConnectionError(_PROXY_FAILED)
        except BaseException:
            self._watchdog.remove(flow)
            raise
        flow.limit = request.idle_seconds
        self.far_clock.note(raw.headers.get("Date"))
        return HttpResponse(raw, flow, self._watchdog)

    def close(self) -> None:
        self._watchdog.remove(self)
        with self._lock:
            adapters, self._adapters = list(self._adapters.values()), OrderedDict()
        for adapter in adapters:
            adapter.close()

    def _send(self, adapter: TrackingAdapter, request: Outgoing, flow: Flow) -> requests.Response:
        proxy = _resolving_there(request.proxy.reveal()) if request.proxy else None
        try:
            return adapter.send(
                _prepared(request),
                stream=True,
                timeout=(self._connect_seconds, None),
                verify=True,
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
        except requests.exceptions.RequestException as error:
            flow.explain("before it answered")
            raise _send_error(error, proxied=request.proxy is not None) from None
        except urllib3_errors.LocationValueError:
            raise InternalError(_BAD_ADDRESS) from None
        except (ValueError, UnicodeError):
            # http.client refuses line breaks and non-Latin-1 text in header values, and repeats them in
            # its own error: a token may be among them.
            raise RequestError("A header value contains characters that cannot be sent.") from None
        except (urllib3_errors.HTTPError, OSError) as error:
            flow.explain("before it answered")
            raise _connection_error(error, proxied=request.proxy is not None) from None

    def _adapter(self, proxy: Secret | None) -> TrackingAdapter:
        key = proxy.reveal() if proxy else None
        with self._lock:
            adapter = self._adapters.get(key)
            if adapter is None:
                adapter = TrackingAdapter(pool_connections=8, pool_maxsize=self._connections)
                self._adapters[key] = adapter
                if len(self._adapters) > _MOST_PROXIES:
                    # Its open exchanges go on; only idle connections are dropped.
                    self._adapters.popitem(last=False)[1].close()
            else:
                self._adapters.move_to_end(key)
            return adapter


def _resolving_there(proxy: str) -> str:
    """The same proxy, with names resolved at its end: here they may not resolve, or to other places."""
    scheme, separator, rest = proxy.partition("://")
    return {"socks5": "socks5h", "socks4": "socks4a"}.get(scheme, scheme) + separator + rest


class HttpResponse:
    """`Response` of an exchange whose headers are here."""

    def __init__(self, response: requests.Response, flow: Flow, watchdog: Watchdog) -> None:
        self._response = response
        self._raw = response.raw
        self._flow = flow
        self._watchdog = watchdog
        self.status = int(response.status_code)
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Generator[bytes, None, None]:
        flow, raw = self._flow, self._raw
        encoding = self.headers.get("content-encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            self.close()
            raise UpstreamBadResponse("The upstream used a content encoding we did not ask for.")
        rested = time.monotonic()
        try:
            with flow.call.waking(flow.end):
                while True:
                    began = flow.wait_begins()
                    if began - rested > _LONGEST_RUN_SECONDS:
                        time.sleep(_REST_SECONDS)
                        rested = began = flow.wait_begins()
                    data = raw.read1(_READ_BYTES, decode_content=True)
                    flow.wait_ends()
                    if (now := time.monotonic()) - began > _REST_SECONDS:
                        rested = now  # it had to wait
                    if _at_end(raw):
                        flow.detach()  # the connection is back in the pool, for others to use
                    if flow.ended:
                        break  # what is still in the buffers may be undecrypted
                    if data:
                        yield data
                    elif raw.closed or _at_end(raw):
                        break
            flow.explain("in mid-stream")  # a shutdown reads as a clean end on an unframed body
        except (urllib3_errors.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            flow.explain("in mid-stream")
            raise _read_error(error) from None
        finally:
            self.close()

    def hurry(self, seconds: float) -> None:
        self._flow.hurry(seconds)

    def read(self, limit_bytes: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        for data in self.chunks():
            size += len(data)
            if size > limit_bytes:
                self.close()
                raise UpstreamBadResponse("The upstream's answer is too large.")
            parts.append(data)
        return b"".join(parts)

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        self._flow.wait_ends()
        self._flow.detach()
        self._watchdog.remove(self._flow)
        with suppress(OSError, urllib3_errors.HTTPError, http.client.HTTPException):
            self._response.close()


def _at_end(raw: Any) -> bool:
    """Whether a read that gave nothing means the end (a compressed piece may decode to nothing)."""
    original = getattr(raw, "_original_response", None)
    return original is None or bool(original.isclosed())


def _prepared(request: Outgoing) -> PreparedRequest:
    """A prepared request, filled in by hand: the general preparation costs as much as the call."""
    prepared = PreparedRequest()
    prepared.method = request.method
    prepared.url = request.url
    headers: Headers = Headers(request.headers)
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    elif request.method != "GET":
        headers["Content-Length"] = "0"
    prepared.headers = headers
    prepared.body = request.body
    prepared.hooks = {"response": []}
    return prepared


def _send_error(error: requests.exceptions.RequestException, *, proxied: bool) -> Exception:
    if isinstance(error, requests.exceptions.InvalidHeader):
        return RequestError("A header value contains characters that cannot be sent.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return InternalError(_BAD_ADDRESS)
    return _connection_error(error, proxied=proxied)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those wrapped inside it in the several ways of requests and urllib3."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen or isinstance(current, Chat2ApiError):
            continue  # one of ours is the context of an earlier exchange
        seen.add(id(current))
        yield current
        waiting.extend(arg for arg in current.args if isinstance(arg, BaseException))
        reason = getattr(current, "reason", None)
        if isinstance(reason, BaseException):
            waiting.append(reason)
        waiting.append(current.__cause__)
        waiting.append(current.__context__)


def _connection_error(error: BaseException, *, proxied: bool) -> Chat2ApiError:
    """Name the stage that failed, and nothing else: library texts may hold a proxy password."""
    links = list(_chain(error))

    def met(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in links)

    if any(getattr(link, "errno", None) in (errno.EMFILE, errno.ENFILE) for link in links):
        log.error(
            "out of file descriptors: raise the limit (ulimit -n), or lower WORKER_CONNECTIONS"
        )
        return Overloaded("This server holds as many connections as it may.", retry_after=5)
    if met(requests.exceptions.ProxyError, urllib3_errors.ProxyError) or _is_socks(links):
        return UpstreamConnectionError(_PROXY_FAILED)
    if met(urllib3_errors.NameResolutionError):
        return UpstreamConnectionError(
            "Could not reach the upstream: its name did not resolve (stage: dns)."
        )
    if met(requests.exceptions.SSLError, urllib3_errors.SSLError):
        return UpstreamConnectionError(_TLS_FAILED)
    if met(urllib3_errors.ReadTimeoutError):
        # Reading has no timeout of its own; the connection was not ready: a proxy or TLS never answered.
        return UpstreamConnectionError(_PROXY_FAILED if proxied else _TLS_FAILED)
    if met(urllib3_errors.ConnectTimeoutError, urllib3_errors.NewConnectionError):
        return UpstreamConnectionError(
            "Could not reach the upstream: no connection (stage: connect)."
        )
    if met(http.client.LineTooLong) or any("got more than" in str(link) for link in links):
        return UpstreamBadResponse("The upstream's response headers are too large.")
    if met(http.client.HTTPException) and not met(http.client.RemoteDisconnected):
        return UpstreamBadResponse("The upstream's answer is not HTTP.")
    return _ClosedEarly("The upstream closed the connection before it answered (stage: response).")


def _is_socks(links: list[BaseException]) -> bool:
    return any(type(link).__module__.startswith("socks") for link in links)


def _read_error(error: BaseException) -> UpstreamError:
    links = list(_chain(error))
    if any(isinstance(link, urllib3_errors.DecodeError) for link in links):
        return UpstreamBadResponse("The upstream's answer could not be decompressed.")
    if any(
        isinstance(link, http.client.IncompleteRead | urllib3_errors.IncompleteRead)
        for link in links
    ):
        return UpstreamTruncated("The upstream's answer was cut short.")
    return UpstreamConnectionError("The connection to the upstream broke in mid-stream.")
