"""Settings -> Runtime -> Flask application. The only room that knows every other."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from flask import Flask

from chat2api.errors import StorageUnavailable
from chat2api.factory.assembly import Assembled, assemble
from chat2api.factory.clockwork import timers
from chat2api.factory.foundation import Foundation, lay_foundation
from chat2api.jobs.timers import Timers
from chat2api.live_log import LiveLogHandler, stop_live_log, write_live_log
from chat2api.logs import set_log_level
from chat2api.runtime import Runtime
from chat2api.service.config_desk import ConfigDesk, SettingsSource
from chat2api.settings.load import LoadedSettings
from chat2api.settings.model import Settings
from chat2api.web.routes import register_routes
from chat2api.web.state import attach_runtime

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FixedSettings:
    """Settings that come from nowhere and never change; for tests and for programs that bring their own."""

    loaded: LoadedSettings
    problem: object | None = field(default=None)

    def current(self) -> LoadedSettings:
        return self.loaded

    def poll(self) -> LoadedSettings | None:
        return None


def create_app(source: SettingsSource | Settings, *, jobs: bool = True) -> Flask:
    """The WSGI application of one worker process. Call after the fork.

    `jobs`: run the timers too. Raises KeyMismatch, NewerSchema, StorageUnavailable.
    """
    if isinstance(source, Settings):
        source = FixedSettings(LoadedSettings(source, {}))
    app = Flask("chat2api", static_folder=None)
    worker = Worker(app, source)
    register_routes(app, worker.settings)
    if jobs:
        worker.start_jobs()
    return app


class Worker:
    """Builds what a worker process holds, and builds it anew when the settings change."""

    def __init__(self, app: Flask, source: SettingsSource) -> None:
        self._app = app
        self._source = source
        self._lock = threading.Lock()
        self._timers: Timers | None = None
        self._live: LiveLogHandler | None = None
        self._problem: object | None = None
        # A worker that replaces a dead one was forked with settings that may be old by now.
        loaded = source.poll() or source.current()
        self._base: Foundation = lay_foundation(loaded.settings)
        self._desk = ConfigDesk(source, self.reload)
        self._in_use = loaded
        self._followed: LoadedSettings | None = None
        self._assembled = self._assemble(loaded.settings, None)
        attach_runtime(app, self.runtime)
        self._follow_config(loaded)

    @property
    def runtime(self) -> Runtime:
        return self._assembled.runtime

    @property
    def settings(self) -> Settings:
        return self.runtime.settings

    def start_jobs(self) -> None:
        self._timers = Timers(timers(self._base, lambda: self._assembled, self.reload))
        self._timers.start()
        self._live = write_live_log(self._base.desk.live)

    def reload(self) -> None:
        """Take over changed settings, if there are any; requests under way keep theirs.

        What fails for the database's sake is done at the next look.
        """
        with self._lock:
            self._source.poll()
            self._note_problem()
            loaded = self._source.current()
            try:
                if loaded is not self._in_use:
                    self._take_over(loaded)
                self._follow_config(loaded)
            except StorageUnavailable as error:
                log.warning("settings are taken over later: %s", error.message)

    def _note_problem(self) -> None:
        problem = self._source.problem
        if problem is not None and problem != self._problem:
            self._base.audit.note("system", "", "config_refused", detail={"why": str(problem)})
        self._problem = problem

    def _take_over(self, loaded: LoadedSettings) -> None:
        self._assembled = self._assemble(loaded.settings, self._assembled)
        attach_runtime(self._app, self.runtime)
        self._in_use = loaded
        set_log_level(loaded.settings.log_level)
        facts = {"worker": self._base.workers.worker_id, "revision": loaded.config_revision}
        self._base.audit.note("system", "", "config_loaded", detail=facts)

    def _follow_config(self, loaded: LoadedSettings) -> None:
        if loaded is self._followed:
            return
        before = None
        if not self._base.store.database.is_sqlite:
            # Servers that share a database may each have a file of their own.
            before = () if self._followed is None else self._followed.settings.chatgpts
        self._assembled.arrivals.follow_config(loaded.settings.chatgpts, before)
        self._followed = loaded

    def _assemble(self, settings: Settings, earlier: Assembled | None) -> Assembled:
        return assemble(self._base, settings, self._desk, self.close, earlier)

    def close(self) -> None:
        """Ends threads, processes and connections, after the last request."""
        if self._timers is not None:
            self._timers.stop()
        if self._live is not None:
            stop_live_log(self._live)
        answers = True
        try:
            self._base.workers.leave()
        except Exception:  # noqa: BLE001 - at the end nobody can do anything about it
            log.debug("leaving without a word to the database")
            answers = False  # and nobody waits for it once more
        self._base.close(write=answers)
