"""gunicorn's options from our settings."""

from __future__ import annotations

import ipaddress
import math
import os
from typing import Any

from chat2api.settings.model import Settings

# A worker that has not been scheduled for this long hangs in a C call or a busy loop: replaced.
_STALL_SECONDS = 120
# Also bounds reading a request's headers (the gevent worker has one timer for both), so it may not be
# as long as an idle limit alone could be: half-sent headers hold a connection for this long.
_IDLE_CONNECTION_SECONDS = 10
# After the streams had their time: to write their last words, and for the arbiter to see the exit.
_EXIT_MARGIN_SECONDS = 5
_MEMORY_DIR = "/dev/shm"  # noqa: S108 - for the heartbeat file; opened and unlinked by gunicorn


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Every gunicorn setting we choose, by gunicorn's names."""
    return {
        "bind": bind_address(settings.host, settings.port),
        "proc_name": "chat2api",
        "worker_class": "chat2api.serve.worker.Worker",
        "logger_class": "chat2api.serve.gunicorn_log.GunicornLog",
        "loglevel": settings.log_level,
        # One line per request is the application's to write: it knows model, account and outcome.
        "accesslog": None,
        "workers": settings.workers,
        "worker_connections": settings.worker_connections,
        "timeout": _STALL_SECONDS,
        "graceful_timeout": math.ceil(settings.drain_seconds) + _EXIT_MARGIN_SECONDS,
        "keepalive": _IDLE_CONNECTION_SECONDS,
        # Patching happens in the worker, so the application must not be loaded before the fork.
        "preload_app": False,
        "max_requests": 0,
        "control_socket_disable": True,
        "limit_request_line": 8190,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "forwarded_allow_ips": _networks(settings.trusted_proxies),
        # A header must not be able to move the application to another path.
        "forwarder_headers": "",
        # The heartbeat must not wait for a slow disk, nor need a writable root file system.
        "worker_tmp_dir": _MEMORY_DIR if os.access(_MEMORY_DIR, os.W_OK) else None,
    }


def bind_address(host: str, port: int) -> str:
    """host:port as gunicorn reads it; IPv6 addresses in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _networks(proxies: tuple[str, ...]) -> str:
    return ",".join(str(ipaddress.ip_network(proxy, strict=False)) for proxy in proxies)
