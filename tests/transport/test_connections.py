"""Connections that report the socket they use, whatever the route."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from urllib3.contrib.socks import SOCKSProxyManager

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


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_a_connection_reports_when_it_connects_and_when_it_is_used_again(
    adapter: TrackingAdapter, serve: Callable[..., Any]
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
