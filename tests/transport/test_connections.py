"""Connections: that they report what they use, serve again, and fail with the stage named."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from urllib3.contrib.socks import SOCKSProxyManager

from chat2api.errors import (
    Chat2ApiError,
    ClientGone,
    UpstreamBadResponse,
    UpstreamConnectionError,
)
from chat2api.lifetime.call import Call
from chat2api.transport.connections import TrackingAdapter
from chat2api.transport.flow import Flow, current_flow


class Noted(Flow):
    """Keeps every socket it is told of."""

    def __init__(self) -> None:
        super().__init__(Call(math.inf), 1.0)
        self.seen: list[object] = []

    def attach(self, sock: object) -> None:
        self.seen.append(sock)


@pytest.fixture
def adapter() -> Iterator[TrackingAdapter]:
    made = TrackingAdapter(pool_connections=1, pool_maxsize=2)
    yield made
    made.close()


Serve = Callable[..., Any]
Ask = Callable[..., Any]

PASSWORD = "pr0xy-p4ss"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_connection_reports_when_it_connects_and_when_it_is_used_again(
    adapter: TrackingAdapter, serve: Serve
) -> None:
    server = serve(["request", OK, "request", OK, "hold"])
    pool = adapter.poolmanager.connection_from_url(server.url)
    flows = [Noted(), Noted()]
    for flow in flows:
        with current_flow(flow):
            assert pool.request("GET", "/", retries=False).data == b"ok"
    (connected,), (used_again,) = flows[0].seen, flows[1].seen
    assert connected is used_again
    assert server.ports[0] == server.ports[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_direct_pools_are_tracked(adapter: TrackingAdapter, scheme: str) -> None:
    pool = adapter.poolmanager.connection_from_host("host.test", scheme=scheme)
    assert (type(pool).__name__, pool.ConnectionCls.__name__) == (
        f"TrackedHTTP{'S' if scheme == 'https' else ''}ConnectionPool",
        "Tracked",
    )
    assert pool.scheme == scheme


@pytest.mark.parametrize("proxy", ["http://user:pw@proxy.test:1", "socks5h://proxy.test:1"])
def test_proxied_pools_are_tracked_once(adapter: TrackingAdapter, proxy: str) -> None:
    manager = adapter.proxy_manager_for(proxy)
    assert adapter.proxy_manager_for(proxy) is manager
    for scheme in ("http", "https"):
        pool = manager.connection_from_host("host.test", scheme=scheme)
        connection = pool.ConnectionCls
        assert connection.__name__ == "Tracked"
        # Tracked once: its parent is the library's own.
        assert connection.__mro__[1].__module__.startswith("urllib3.")


def test_socks_keeps_its_own_kind_of_connection(adapter: TrackingAdapter) -> None:
    manager = adapter.proxy_manager_for("socks5h://proxy.test:1")
    assert isinstance(manager, SOCKSProxyManager)
    pool = manager.connection_from_host("host.test", scheme="http")
    assert any(kind.__name__ == "SOCKSConnection" for kind in pool.ConnectionCls.__mro__)


# --- used again, or not


def test_a_connection_is_used_again(serve: Serve, ask: Ask) -> None:
    server = serve(["request", OK, "request", CHUNKED, b"0\r\n\r\n", "request", OK, "hold"])
    assert [ask(server.url).read(9) for _ in range(3)] == [b"ok", b"", b"ok"]
    assert len(set(server.ports)) == 1


def test_a_call_that_ends_does_not_reach_into_a_later_exchange(serve: Serve, ask: Ask) -> None:
    """The last piece gives the connection back before its reader has looked at it."""
    server = serve(["request", OK, "request", CHUNKED, 0.1, b"4\r\nmine\r\n", b"0\r\n\r\n"])
    early = Call(math.inf)
    pieces = ask(server.url, call=early).chunks()
    assert next(pieces) == b"ok"
    later = ask(server.url)
    early.cancel(ClientGone("The caller hung up."))
    assert later.read(9) == b"mine"
    assert len(set(server.ports)) == 1
    with pytest.raises(ClientGone):
        next(pieces)


STALE = ["request", OK, "request"]


def test_a_stale_connection_is_replaced_where_the_request_may_be_repeated(
    serve: Serve, ask: Ask
) -> None:
    server = serve(STALE, ["request", OK])
    assert ask(server.url).read(9) == b"ok"
    assert ask(server.url, repeatable=True).read(9) == b"ok"
    assert (len(server.requests), len(set(server.ports))) == (3, 2)


def test_a_stale_connection_is_an_error_where_it_may_not(serve: Serve, ask: Ask) -> None:
    server = serve(STALE, ["request", OK])
    assert ask(server.url).read(9) == b"ok"
    with pytest.raises(UpstreamConnectionError, match="stage: response"):
        ask(server.url)
    assert len(server.requests) == 2


def test_a_request_is_repeated_once_only(serve: Serve, ask: Ask) -> None:
    server = serve(["request"])
    with pytest.raises(UpstreamConnectionError, match="stage: response"):
        ask(server.url, repeatable=True)
    assert len(server.requests) == 2


def test_what_the_second_try_met_is_what_is_told(serve: Serve, ask: Ask) -> None:
    server = serve(["request"], ["request", b"garbage\r\n\r\n"])
    with pytest.raises(UpstreamBadResponse, match="not HTTP"):
        ask(server.url, repeatable=True)


def test_many_exchanges_leave_no_descriptor(serve: Serve, ask: Ask) -> None:
    endings: list[list[Any]] = [
        [OK],
        [CHUNKED, b"3\r\none\r\n"],
        ["reset"],
        [b"?\r\n\r\n"],
        [CHUNKED, b"3\r\none\r\n", "hold"],
    ]
    servers = [serve(["request", *ending]) for ending in endings]

    def exchange(number: int) -> None:
        try:
            pieces = ask(servers[number % 5].url).chunks()
            next(pieces)
            pieces.close()
        except Chat2ApiError:
            pass

    for number in range(5):
        exchange(number)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        exchange(number)
    deadline = time.monotonic() + 1
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        time.sleep(0.01)  # the servers' own ends take a moment to close
    assert len(os.listdir("/proc/self/fd")) <= before


# --- not getting there


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def shown(error: BaseException) -> str:
    """All that a log would show of it."""
    return f"{error!r} {error.args!r}" + "".join(traceback.format_exception(error))


def test_a_refused_connection_names_its_stage(ask: Ask) -> None:
    with pytest.raises(UpstreamConnectionError, match="stage: connect"):
        ask(f"http://127.0.0.1:{closed_port()}/")


def test_a_name_that_does_not_resolve_names_its_stage(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(UpstreamConnectionError, match="stage: dns"):
        ask("http://nobody.test/")


def test_a_plain_server_behind_https_names_its_stage(serve: Serve, ask: Ask) -> None:
    server = serve([b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    with pytest.raises(UpstreamConnectionError, match="stage: tls"):
        ask(f"https://127.0.0.1:{server.port}/")


def test_a_handshake_nobody_answers_names_its_stage(serve: Serve, ask: Ask) -> None:
    server = serve(["hold"])
    with pytest.raises(UpstreamConnectionError, match="stage: tls"):
        ask(f"https://127.0.0.1:{server.port}/", repeatable=True)


REFUSING = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("scheme", "steps"),
    [
        ("http", None),
        ("http", ["request", REFUSING]),
        ("https", None),
        ("https", ["request", REFUSING]),
        ("https", ["hold"]),  # behind http, a silent proxy is a silent upstream
    ],
)
def test_a_failing_proxy_names_its_stage_and_not_its_password(
    serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture, scheme: str, steps: list[Any] | None
) -> None:
    port = serve(steps).port if steps else closed_port()
    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamConnectionError) as caught:
        ask(f"{scheme}://upstream.test/", proxy=f"http://user:{PASSWORD}@127.0.0.1:{port}")
    assert "stage: proxy" in caught.value.message
    assert PASSWORD not in shown(caught.value) + caplog.text


@pytest.mark.parametrize("steps", [None, ["request"], [b"\x05\xff"]])
def test_a_dead_socks_proxy_names_its_stage_and_not_its_password(
    serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture, steps: list[Any] | None
) -> None:
    port = serve(steps).port if steps else closed_port()
    with caplog.at_level(logging.DEBUG), pytest.raises(UpstreamConnectionError) as caught:
        ask("http://upstream.test/", proxy=f"socks5h://user:{PASSWORD}@127.0.0.1:{port}")
    assert "stage: proxy" in caught.value.message
    assert PASSWORD not in shown(caught.value) + caplog.text


def test_a_proxy_is_given_its_password_and_the_upstream_is_not(serve: Serve, ask: Ask) -> None:
    proxy = serve(["request", OK])
    answer = ask("http://upstream.test/x", proxy=f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}")
    assert answer.read(9) == b"ok"
    assert proxy.requests[0].startswith(b"GET http://upstream.test/x HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwcjB4eS1wNHNz\r\n" in proxy.requests[0]


def test_the_environment_names_no_proxy(
    serve: Serve, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    assert ask(serve(["request", OK]).url).read(9) == b"ok"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_names_are_resolved_by_the_socks_proxy(ask: Ask, scheme: str) -> None:
    asked: list[bytes] = []

    def proxy(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(64)
            connection.sendall(b"\x05\x00")  # no password needed
            asked.append(connection.recv(64))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=proxy, args=(listener,))
        serving.start()
        with pytest.raises(UpstreamConnectionError):
            ask("http://nowhere.test/", proxy=f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        serving.join(5)
    assert asked == [b"\x05\x01\x00\x03\x0cnowhere.test\x00\x50"]
