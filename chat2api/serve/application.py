"""gunicorn, started from our settings instead of from its command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from chat2api.serve.console import set_up_logs
from chat2api.serve.keeper import SettingsKeeper
from chat2api.serve.options import gunicorn_options

# Makes the WSGI application. Called in each worker after the fork; may import what it needs there.
BuildApp = Callable[[SettingsKeeper], Any]


class Server(BaseApplication):  # type: ignore[misc]
    """`run()` serves until a signal ends it, and leaves by SystemExit."""

    def __init__(
        self,
        keeper: SettingsKeeper,
        build: BuildApp,
        when_ready: Callable[[tuple[str, int]], None] | None = None,
    ) -> None:
        """`when_ready` is told the address listened on (host, port), once connections are taken."""
        self._keeper = keeper
        self._build = build
        self._when_ready = when_ready
        super().__init__(prog="chat2api")

    def load_config(self) -> None:
        for name, value in gunicorn_options(self._keeper.current().settings).items():
            self.cfg.set(name, value)
        if self._when_ready is not None:
            self.cfg.set("when_ready", self._tell_ready)

    def reload(self) -> None:
        """SIGHUP: new workers get what the sources say now; a mistake there changes nothing."""
        settings = self._keeper.reload().settings
        set_up_logs(settings)
        super().reload()

    def load(self) -> Any:
        return self._build(self._keeper)

    def _tell_ready(self, arbiter: Any) -> None:
        assert self._when_ready is not None
        host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
        self._when_ready((host, port))
