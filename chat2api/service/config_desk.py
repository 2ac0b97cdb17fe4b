"""The configuration file as administration sees and changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from chat2api.errors import InternalError, NoConfigFile
from chat2api.logs import redact
from chat2api.settings.config_api import (
    ApplyResult,
    apply_change,
    current_view,
    plan_change,
    raw_view,
)
from chat2api.settings.config_file import ConfigFileError, remove_backup
from chat2api.settings.config_merge import Merged
from chat2api.settings.load import LoadedSettings
from chat2api.settings.show import shown


class SettingsSource(Protocol):
    """Where a process has its settings from; `serve.keeper` fulfils it."""

    @property
    def problem(self) -> object | None:
        """What is wrong with the latest edit of the file, as text; None while all is well."""

    def current(self) -> LoadedSettings: ...

    def poll(self) -> LoadedSettings | None:
        """The settings anew if the file changed since the last look."""


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A setting in use: its value masked, and where that came from, in words. `fixed`: the file cannot
    change it."""

    name: str
    value: str
    source: str
    fixed: bool


@dataclass(frozen=True, slots=True)
class ConfigTrouble:
    """The last edit of the file is not in use. `line` from 1, None where there is none to name."""

    line: int | None
    message: str


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

    def source_of(self, field: str) -> str:
        """Where the value of a setting came from, in words; empty where that is not known."""
        loaded = None if self._source is None else self._source.current()
        return "" if loaded is None else loaded.sources.get(field, "")

    def in_file(self, field: str) -> bool:
        """Whether the configuration file is where the value of a setting came from."""
        loaded = None if self._source is None else self._source.current()
        if loaded is None or loaded.config_path is None or field in loaded.fixed_fields:
            return False
        return field in loaded.settings.model_fields_set

    def plan(self, body: object, if_match: str | None) -> Merged:
        """What `change` would do, in words. Raises the same."""
        loaded, path = self._file()
        return plan_change(path, body, if_match, fixed=loaded.fixed_fields)

    def raw(self) -> str:
        """The file as text, secrets masked. Raises NoConfigFile, InternalError."""
        return raw_view(self._file()[1], redact)

    @property
    def in_use(self) -> LoadedSettings | None:
        return None if self._source is None else self._source.current()

    def effective(self) -> list[EffectiveSetting]:
        """Every setting, in the order of the documentation."""
        loaded = self.in_use
        if loaded is None:
            return []
        return [
            EffectiveSetting(name, shown(loaded, name), source, name in loaded.fixed_fields)
            for name, source in loaded.sources.items()
        ]

    @property
    def trouble(self) -> ConfigTrouble | None:
        """What is wrong with the file since the settings in use were read."""
        found = None if self._source is None else self._source.problem
        if found is None:
            return None
        return ConfigTrouble(getattr(found, "line", None), str(getattr(found, "message", found)))

    @property
    def problem(self) -> str | None:
        found = None if self._source is None else self._source.problem
        return None if found is None else str(found)

    def _file(self) -> tuple[LoadedSettings, Path]:
        loaded = None if self._source is None else self._source.current()
        if loaded is None or loaded.config_path is None:
            raise NoConfigFile(
                "There is no configuration file: settings come from the environment. "
                "Copy conf/app.demo.yaml to conf/app.dev.yaml and restart to have one; keys and address stay."
            )
        return loaded, loaded.config_path
