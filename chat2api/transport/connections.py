"""urllib3 connections and pools that report the socket they use and let go of what stays idle.

For direct, proxied and SOCKS routes alike.
"""

from __future__ import annotations

import functools
import queue
import time
import weakref
from typing import Any

from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connectionpool import HTTPConnectionPool

from chat2api.transport.flow import note_connecting, note_connection

Headers = CaseInsensitiveDict[str]


@functools.cache
def _tracked_pool(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    connection: Any = pool.ConnectionCls

    class Tracked(connection):  # type: ignore[misc]
        idle_since = 0.0

        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            note_connecting(sock)  # a proxy or TLS handshake on it may take its time
            return sock

        def connect(self) -> None:
            super().connect()
            note_connection(self.sock)

        def request(self, *args: Any, **kwargs: Any) -> None:
            note_connection(self.sock)  # a connection from the pool does not connect again
            super().request(*args, **kwargs)

    return type(f"Tracked{pool.__name__}", (_TidyPool, pool), {"ConnectionCls": Tracked})


class _TidyPool:
    """Mixed into urllib3's pools: remembers since when a connection is idle."""

    pool: queue.LifoQueue[Any] | None

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]

    def drop_idle(self, before: float) -> None:
        """Close the connections that have been idle since `before` (`time.monotonic()`).

        What is last in is first out, so they lie above the empty places the pool was filled with.
        """
        if self.pool is None:
            return
        kept: list[Any] = []
        try:
            while (conn := self.pool.get_nowait()) is not None:
                if conn.idle_since < before:
                    conn.close()
                    conn = None
                kept.append(conn)
            self.pool.put_nowait(None)
        except queue.Empty:
            pass  # every place is in use or was looked at
        kept.sort(key=lambda conn: 0.0 if conn is None else conn.idle_since)
        for conn in kept:
            self.pool.put_nowait(conn)


class TrackingAdapter(HTTPAdapter):
    """requests' adapter (pools, TLS, proxies) on reporting connections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        super().__init__(*args, **kwargs)

    def drop_idle(self, before: float) -> None:
        """Close what has been idle since `before` (`time.monotonic()`), in all pools."""
        for pool in list(self._pools):
            pool.drop_idle(before)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        self._pools.add(pool)
        return pool

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _track(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if known else _track(manager)


def _track(manager: Any) -> Any:
    manager.pool_classes_by_scheme = {
        scheme: _tracked_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }
    return manager
