"""Runs the simulator under gunicorn: one gevent worker, since its state lives in one process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import click
from gunicorn.app.base import BaseApplication

from chat2api.simulator.config import Config


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn with our options. The application is built inside the worker, after patching."""

    def __init__(self, host: str, port: int, config: Config, tokens_file: str | None) -> None:
        self._config = config
        self._tokens_file = tokens_file
        self._options = {
            "bind": [f"{host}:{port}"],
            "worker_class": "gevent",
            "workers": 1,
            "worker_connections": 10_000,
            "backlog": 2048,
            "control_socket_disable": True,
            "accesslog": None,
            "loglevel": "warning",
            "keepalive": 75,
            "graceful_timeout": 1,
            "timeout": 0,
            "limit_request_line": 0,
            "limit_request_field_size": 0,
            "proc_name": "chat2api-simulator",
            "post_worker_init": _announce,
        }
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        # Imported here: the worker has patched the standard library by now, its parent has not.
        from chat2api.simulator.app import create_app

        app = create_app(self._config)
        if self._tokens_file is not None:
            accounts = app.extensions["simulator"].accounts.all()
            write_tokens(self._tokens_file, [account.token for account in accounts])
        return app


def write_tokens(path: str, tokens: list[str]) -> None:
    """One token a line, readable by the owner alone."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("".join(f"{token}\n" for token in tokens))


def _announce(worker: Any) -> None:
    host, port = worker.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"simulator listening on http://{shown}:{port}")
    sys.stdout.flush()


def end_with_stdin() -> None:
    """Ends this process when standard input closes, as it does when the parent dies of anything.

    A thread of the gunicorn master, which is not patched, so the blocking read disturbs nobody; the
    worker is forked later and does not inherit the thread.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGQUIT)

    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


def serve(
    host: str,
    port: int,
    config: Config,
    *,
    with_stdin: bool = False,
    tokens_file: str | None = None,
) -> None:
    """Serves until a signal, or until stdin closes when `with_stdin`."""
    server = Server(host, port, config, tokens_file)
    if with_stdin:
        end_with_stdin()
    server.run()
