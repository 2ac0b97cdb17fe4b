"""The configuration file as administration sees and changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from chat2api.errors import InternalError, NoConfigFile
from chat2api.settings.config_api import ApplyResult, apply_change, current_view
from chat2api.settings.config_file import ConfigFileError, remove_backup
from chat2api.settings.load import LoadedSettings


class SettingsSource(Protocol):
    """Where a process has its settings from; `serve.keeper` fulfils it."""

    @property
    def problem(self) -> object | None:
        """What is wrong with the latest edit of the file, as text; None while all is well."""

    def current(self) -> LoadedSettings: ...

    def poll(self) -> LoadedSettings | None:
        """The settings anew if the file changed since the last look."""


class ConfigDesk:
    """`apply` makes this process follow a change at once; others notice it by themselves."""

    def __init__(self, source: SettingsSource | None, apply: Callable[[], None]) -> None:
        self._source = source
        self._apply = apply

    def view(self) -> dict[str, Any]:
        """As GET answers it. Raises NoConfigFile, InternalError."""
        loaded, path = self._file()
        return current_view(loaded, path)

    def change(self, body: object, if_match: str | None) -> ApplyResult:
        """As PUT does it. Raises NoConfigFile, RequestError, Conflict, InternalError."""
        loaded, path = self._file()
        result = apply_change(path, body, if_match, fixed=loaded.fixed_fields)
        if result.changes:
            self._apply()
        return result

    def forget_backup(self) -> bool:
        """Delete the copy that the last change left, with the secrets of before; whether there was one.

        Raises NoConfigFile, InternalError.
        """
        _, path = self._file()
        try:
            return remove_backup(path)
        except ConfigFileError as error:
            raise InternalError(str(error)) from error

    @property
    def problem(self) -> str | None:
        found = None if self._source is None else self._source.problem
        return None if found is None else str(found)

    def _file(self) -> tuple[LoadedSettings, Path]:
        loaded = None if self._source is None else self._source.current()
        if loaded is None or loaded.config_path is None:
            raise NoConfigFile(
                "There is no configuration file: settings come from the environment. "
                "Copy conf/app.demo.yaml to conf/app.dev.yaml and restart to have one."
            )
        return loaded, loaded.config_path
