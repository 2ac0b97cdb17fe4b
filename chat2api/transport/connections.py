"""urllib3 connections and pools that report the socket they use, for direct, proxied and SOCKS routes."""

from __future__ import annotations

import functools
from typing import Any

from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from chat2api.transport.flow import note_connection


@functools.cache
def _tracked_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    connection: Any = pool.ConnectionCls

    class Tracked(connection):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            note_connection(self.sock)

        def request(self, *args: Any, **kwargs: Any) -> None:
            note_connection(self.sock)  # a connection from the pool does not connect again
            super().request(*args, **kwargs)

    return type(f"Tracked{pool.__name__}", (pool,), {"ConnectionCls": Tracked})


def _track(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {
        scheme: _tracked_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager


class TrackingAdapter(HTTPAdapter):
    """requests' adapter (pools, TLS, proxies) on reporting connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _track(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if known else _track(manager)


Headers = CaseInsensitiveDict[str]
