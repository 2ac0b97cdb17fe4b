"""The floor: what Flask, gunicorn's gevent worker and requests cost when they only pass bytes on.

`python -m benchmarks.floor PORT UPSTREAM`.
"""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication


class Floor(BaseApplication):  # type: ignore[misc]
    """One worker, the options of the server it is compared with."""

    def __init__(self, port: int, upstream: str) -> None:
        self._port = port
        self._upstream = upstream
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": [f"127.0.0.1:{self._port}"],
            "worker_class": "gevent",
            "worker_connections": 4096,
            "keepalive": 75,
            "control_socket_disable": True,
            "loglevel": "warning",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self._upstream)


def create_app(upstream: str) -> Any:
    # Imported in the worker: by now it has patched the standard library.
    import requests
    from flask import Flask, Response, request

    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=4096))
    app = Flask(__name__)

    @app.get("/ping")
    def ping() -> str:
        return "pong"

    @app.post("/<path:path>")
    def pass_on(path: str) -> Response:
        headers = {
            name: request.headers[name] for name in ("Authorization", "Content-Type", "User-Agent")
        }
        answer = session.post(
            f"{upstream}/{path}", data=request.get_data(), headers=headers, stream=True
        )
        return Response(
            answer.iter_content(None),
            status=answer.status_code,
            content_type=answer.headers["Content-Type"],
        )

    return app


if __name__ == "__main__":
    Floor(int(sys.argv[1]), sys.argv[2]).run()
