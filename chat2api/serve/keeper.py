"""Holds the settings in use and replaces them as a whole on reload, or not at all."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable

from chat2api.serve.start import StartError, prepare_data_dir
from chat2api.settings.load import LoadedSettings, load_from_process
from chat2api.settings.problems import SettingsError

log = logging.getLogger(__name__)

# Bound once at the start; the listening sockets are handed on to new workers.
_FIXED = ("host", "port")


class SettingsKeeper:
    """`load` reads the settings from their sources anew, raising SettingsError when they are wrong."""

    def __init__(self, load: Callable[[], LoadedSettings]) -> None:
        self._load = load
        self._current: LoadedSettings | None = None

    @property
    def is_loaded(self) -> bool:
        return self._current is not None

    def current(self) -> LoadedSettings:
        """The settings in use, loaded on the first call. Raises SettingsError, StartError."""
        if self._current is None:
            self._current = self._read()
        return self._current

    def reload(self) -> LoadedSettings:
        """Read again. A mistake is logged and changes nothing (fault matrix D17)."""
        if self._current is None:
            return self.current()
        try:
            fresh = self._read()
        except (SettingsError, StartError) as error:
            log.error("reload refused, the settings in use stay: %s", error)
            return self._current
        self._current = self._with_fixed(self._current, fresh)
        log.info("settings reloaded")
        return self._current

    def _read(self) -> LoadedSettings:
        loaded = self._load()
        prepare_data_dir(loaded.settings.data_dir)
        return loaded

    @staticmethod
    def _with_fixed(old: LoadedSettings, fresh: LoadedSettings) -> LoadedSettings:
        kept = {name: getattr(old.settings, name) for name in _FIXED}
        if any(getattr(fresh.settings, name) != value for name, value in kept.items()):
            log.warning("a change of host or port takes effect at the next start")
        sources = {**fresh.sources, **{name: old.sources[name] for name in _FIXED}}
        return LoadedSettings(fresh.settings.model_copy(update=kept), sources)


@functools.cache
def process_keeper() -> SettingsKeeper:
    """The keeper where gunicorn's own command is the entry: its configuration file is executed anew
    on each SIGHUP and the application is imported in the workers, so neither can hand it over."""
    return SettingsKeeper(load_from_process)
