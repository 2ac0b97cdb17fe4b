"""Holds the settings in use and replaces them as a whole on reload, or not at all."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from chat2api.serve.start import StartError, prepare_data_dir
from chat2api.settings.config_file import ConfigFileError
from chat2api.settings.first_key import announce, ensure_key
from chat2api.settings.load import LoadedSettings, load_from_process
from chat2api.settings.problems import SettingsError
from chat2api.settings.watch import FileWatch

log = logging.getLogger(__name__)

# Bound once at the start; the listening sockets are handed on to new workers.
_FIXED = ("host", "port")
# What a running worker was built upon: new workers (SIGHUP) take these, an old one cannot.
_FOR_NEW_WORKERS = (
    "workers",
    "worker_connections",
    "compute_processes",
    "data_dir",
    "database_url",
    "secret_key",
)


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """Why the last edit of the YAML file is not in use.

    `file` is its name ("" without one); `line` counts from 1, None where there is none to name; `message`
    names both again where it can; `since` is when it was noticed.
    """

    file: str
    line: int | None
    message: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.message} (since {self.since:%Y-%m-%d %H:%M:%S %Z})"


class SettingsKeeper:
    """`load` reads the settings from their sources anew, raising SettingsError when they are wrong.

    `now` gives the time of day, for `problem`. One keeper serves one process: the master has one that is
    read at the start and on SIGHUP, and each worker polls the copy that it was forked with.
    """

    def __init__(
        self,
        load: Callable[[], LoadedSettings],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._load = load
        self._now = now
        self._current: LoadedSettings | None = None
        self._watch: FileWatch | None = None
        self._problem: ConfigProblem | None = None

    @property
    def is_loaded(self) -> bool:
        return self._current is not None

    @property
    def problem(self) -> ConfigProblem | None:
        """What is wrong with the YAML file since the settings in use were read; None while all is well."""
        return self._problem

    def current(self) -> LoadedSettings:
        """The settings in use, loaded on the first call. Raises SettingsError, StartError.

        The first call also makes an API key where the YAML file is to hold one and does not.
        """
        if self._current is None:
            loaded = self._read()
            self._take(self._read() if make_first_key(loaded) else loaded)
        assert self._current is not None
        return self._current

    def reload(self) -> LoadedSettings:
        """Read again. A mistake is logged and changes nothing (fault matrix D17)."""
        if self._current is None:
            return self.current()
        fresh = self._try_read()
        if fresh is None:
            return self._current
        self._take(self._with_fixed(self._current, fresh, _FIXED, "the next start"))
        log.info("settings reloaded")
        return self._current

    def poll(self) -> LoadedSettings | None:
        """Look whether the YAML file changed; the new settings if so, None while all is as it was.

        An edit with a mistake is logged once and changes nothing, and neither does a file that is gone;
        the next edit is tried again.
        """
        old = self.current()
        if self._watch is None or not self._watch.changed():
            return None
        name = self._watch.path.name
        if not self._watch.is_there:
            self._refuse(None, f"{name} is gone or cannot be read")
            return None
        # Between an editor's emptying the file and its writing, all keys would be void for a moment.
        if self._watch.is_empty:
            self._refuse(None, f"{name} is empty")
            return None
        fresh = self._try_read()
        if fresh is None:
            return None
        if fresh.config_path != self._watch.path:
            self._watch.forget()
            return None
        fresh = self._with_fixed(old, fresh, _FOR_NEW_WORKERS, "SIGHUP or the next start")
        self._take(self._with_fixed(old, fresh, _FIXED, "the next start"), self._watch)
        log.info("settings reloaded: the configuration file changed")
        return self._current

    def _read(self) -> LoadedSettings:
        loaded = self._load()
        prepare_data_dir(loaded.settings.data_dir)
        return loaded

    def _try_read(self) -> LoadedSettings | None:
        """None after a mistake, which is logged and remembered."""
        try:
            return self._read()
        except SettingsError as error:
            first = next((p for p in error.problems if p.line), error.problems[0])
            self._refuse(first.line, str(first), str(error))
        except StartError as error:
            self._refuse(None, str(error))
        return None

    def _refuse(self, line: int | None, message: str, whole: str | None = None) -> None:
        log.error("reload refused, the settings in use stay: %s", whole or message)
        name = "" if self._watch is None else self._watch.path.name
        self._problem = ConfigProblem(name, line, message, self._now())

    def _take(self, loaded: LoadedSettings, watch: FileWatch | None = None) -> None:
        self._current = loaded
        self._problem = None
        path = loaded.config_path
        if watch is None or watch.path != path:
            watch = None if path is None else FileWatch(path, loaded.config_revision)
        self._watch = watch

    @staticmethod
    def _with_fixed(
        old: LoadedSettings, fresh: LoadedSettings, names: Sequence[str], when: str
    ) -> LoadedSettings:
        kept = {name: getattr(old.settings, name) for name in names}
        changed = [name for name, value in kept.items() if getattr(fresh.settings, name) != value]
        if changed:
            log.warning("a change of %s takes effect at %s", ", ".join(changed), when)
        return replace(
            fresh,
            settings=fresh.settings.model_copy(update=kept),
            sources={**fresh.sources, **{name: old.sources[name] for name in names}},
        )


def make_first_key(loaded: LoadedSettings) -> bool:
    """Write an API key into the YAML file that is to hold one and does not; whether one was made.

    Where the file cannot be written, the key is made in DATA_DIR as without a file.
    """
    path = loaded.config_path
    if path is None or not loaded.has_auth_section or loaded.settings.authorization:
        return False
    try:
        key = ensure_key(path)
    except ConfigFileError as error:
        log.warning("no API key could be written into the configuration file: %s", error)
        return False
    if key is not None:
        announce(key, path)
    # Another process may have been first: then its key counts.
    return True


@functools.cache
def process_keeper() -> SettingsKeeper:
    """The keeper where gunicorn's own command is the entry: its configuration file is executed anew
    on each SIGHUP and the application is imported in the workers, so neither can hand it over."""
    return SettingsKeeper(load_from_process)
