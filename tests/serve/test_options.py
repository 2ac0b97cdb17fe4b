from typing import Any

import pytest
from gunicorn.app.base import BaseApplication

from chat2api.serve.options import bind_address, gunicorn_options
from chat2api.settings.model import Settings


class Configured(BaseApplication):
    """gunicorn's own reading of our options: it refuses unknown names and bad values."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)


def configured(**settings):
    return Configured(gunicorn_options(Settings(**settings))).cfg


def test_gunicorn_takes_them_all():
    cfg = configured(host="127.0.0.1", port=5005, workers=3, worker_connections=99)
    assert cfg.address == [("127.0.0.1", 5005)]
    assert (cfg.workers, cfg.worker_connections) == (3, 99)
    assert cfg.worker_class.__name__ == "Worker"
    assert cfg.logger_class.__name__ == "GunicornLog"


def test_what_must_not_happen_is_off():
    cfg = configured()
    assert cfg.control_socket_disable is True  # it would open a socket in the home directory
    assert cfg.preload_app is False
    assert (cfg.max_requests, cfg.accesslog) == (0, None)
    assert (cfg.forwarded_allow_ips, cfg.forwarder_headers) == ([], [])


@pytest.mark.parametrize(("drain", "graceful"), [(25, 30), (0.2, 6), (59.5, 65)])
def test_the_drain_fits_into_graceful_timeout(drain, graceful):
    assert configured(drain_seconds=drain).graceful_timeout == graceful


def test_trusted_proxies_are_gunicorns_too():
    cfg = configured(trusted_proxies=("10.1.2.3/8", "::1"))
    assert cfg.forwarded_allow_ips == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("host", "shown"),
    [("0.0.0.0", "0.0.0.0:80"), ("::", "[::]:80"), ("localhost", "localhost:80")],
)
def test_addresses(host, shown):
    assert bind_address(host, 80) == shown
