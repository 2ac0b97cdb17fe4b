"""Reads the settings once, from the command line, the environment, `.env` and YAML, in that order.

The only room that looks at the environment; it is passed in, so tests and reloads say what it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chat2api.settings.convert import convert
from chat2api.settings.fields import SettingField, setting_fields
from chat2api.settings.mask import mask_text
from chat2api.settings.model import Settings
from chat2api.settings.problems import Problem, SettingsError
from chat2api.settings.variables import (
    CONFIG_VARIABLE,
    Found,
    Variables,
    find_proxy,
    find_variable,
    read_variables,
    refuse_unknown,
)
from chat2api.settings.yaml_file import read_yaml

DEFAULT_SOURCE = "default"
_OPTION_NAMES = {"public_base_url": "--base_url"}


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and for each field where its value came from, in words."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    *,
    cli: Mapping[str, object],
    environ: Mapping[str, str],
    config_path: Path | None,
    cwd: Path,
) -> LoadedSettings:
    """Command line > environment / `.env` > YAML > default.

    `cli` maps field names to values; None means the option was not given. `config_path` is the YAML
    file; when None, CHAT2API_CONFIG may name one. Relative paths start at `cwd`, which is also where
    `.env` is looked for. Raises SettingsError with every problem found, not only the first.
    """
    problems: list[Problem] = []
    fields = setting_fields()
    variables = read_variables(environ, cwd / ".env", problems)
    refuse_unknown(fields, variables, problems)
    found = _collect(fields, cli, variables, _config_file(config_path, variables), cwd, problems)
    settings = _build(fields, found, problems)
    if settings is not None and "proxy_url" not in found:
        proxy = find_proxy(variables, settings.chatgpt_base_url)
        if proxy is not None:
            found["proxy_url"] = proxy
            settings = _build(fields, found, problems)
    if problems or settings is None:
        raise SettingsError(problems)
    data_dir = cwd / settings.data_dir.expanduser()
    return LoadedSettings(
        settings.model_copy(update={"data_dir": data_dir}),
        {name: found[name].source if name in found else DEFAULT_SOURCE for name in fields},
    )


def load_from_process() -> LoadedSettings:
    """Without a command line of ours: this process's environment and working directory."""
    return load_settings(cli={}, environ=os.environ, config_path=None, cwd=Path.cwd())


def _config_file(given: Path | None, variables: Variables) -> Path | None:
    if given is not None:
        return given
    named = variables.values.get(CONFIG_VARIABLE)
    return Path(named.strip()) if named else None


def _collect(
    fields: Mapping[str, SettingField],
    cli: Mapping[str, object],
    variables: Variables,
    config_path: Path | None,
    cwd: Path,
    problems: list[Problem],
) -> dict[str, Found]:
    """The winning raw value of every setting that is set anywhere."""
    by_file = {} if config_path is None else read_yaml(cwd / config_path, fields, problems)
    found: dict[str, Found] = {}
    for name, field in fields.items():
        option = _OPTION_NAMES.get(name, f"--{name}")
        winner = (
            Found(cli[name], f"command line {option}", option)
            if cli.get(name) is not None
            else find_variable(field, variables, cwd, problems) or by_file.get(name)
        )
        if winner is not None:
            found[name] = winner
    return found


def _build(
    fields: Mapping[str, SettingField], found: Mapping[str, Found], problems: list[Problem]
) -> Settings | None:
    """The model over all values that convert; every refusal is added to `problems`."""
    values: dict[str, object] = {}
    for name, raw in found.items():
        try:
            values[name] = convert(fields[name], raw.value)
        except ValueError as error:
            problems.append(_problem(fields[name], raw, str(error)))
    try:
        return Settings.model_validate(values)
    except ValidationError as refusal:
        # A list may be refused for several items; one line per setting tells enough.
        details = {str(detail["loc"][0]): detail for detail in reversed(refusal.errors())}
        problems.extend(
            _problem(fields[name], found[name], _reason(fields[name], details[name]))
            for name in fields
            if name in details
        )
        return None


def _reason(field: SettingField, detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":  # one of the model's own checks: already in plain words
        return str(detail["ctx"]["error"])
    if detail["type"] == "too_short":
        return "must not be empty"
    return f"must be {field.allowed}"


def _problem(field: SettingField, raw: Found, message: str) -> Problem:
    value = "***" if field.secret else mask_text(field.name, str(raw.value).strip())
    return Problem(raw.written_as, message, value)
