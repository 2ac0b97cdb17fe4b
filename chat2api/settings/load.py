"""Reads the settings once, from the command line, the environment, `.env` and YAML, in that order.

The only room that looks at the environment; it is passed in, so tests and reloads say what it is.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chat2api.settings.checks import is_postgresql
from chat2api.settings.compatible_entry import OPENAI_COMPATIBLE
from chat2api.settings.convert import convert
from chat2api.settings.fields import SettingField, setting_fields
from chat2api.settings.mask import clip, mask_text
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
from chat2api.settings.yaml_file import YamlSettings, parse_yaml, read_yaml

DEFAULT_SOURCE = "default"
_OPTION_NAMES = {"public_base_url": "--base_url"}
_DIRECTORIES = ("data_dir", "log_path")
_ENVIRONMENT_NAME = "ENV"
_DEFAULT_ENVIRONMENT = "dev"


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and for each field where its value came from, in words.

    `config_path` is the YAML file in use, None without one; `config_revision` stands for the bytes that
    were read from it. `fixed_fields` are those that the command line or a variable sets, so that the
    file cannot change them. `loaded_at` in epoch seconds.
    """

    settings: Settings
    sources: Mapping[str, str]
    config_path: Path | None = None
    config_revision: str | None = None
    has_auth_section: bool = False
    fixed_fields: frozenset[str] = frozenset()
    loaded_at: float = default(default_factory=time.time, compare=False)


def load_settings(
    *,
    cli: Mapping[str, object],
    environ: Mapping[str, str],
    config_path: Path | None,
    cwd: Path,
) -> LoadedSettings:
    """Command line > environment / `.env` > YAML > default.

    `cli` maps field names to values; None means the option was not given. `config_path` is the YAML
    file; when None, CHAT2API_CONFIG may name one, else it is `conf/app.<ENV>.yaml` if that exists.
    Relative paths start at `cwd`, which is also where `.env` is looked for. Raises SettingsError with
    every problem found, not only the first.
    """
    problems: list[Problem] = []
    fields = setting_fields()
    variables = read_variables(environ, cwd / ".env", problems)
    refuse_unknown(fields, variables, problems)
    path = _config_file(config_path, variables, cwd, problems)
    yaml = YamlSettings() if path is None else read_yaml(path, fields, problems)
    stronger = _collect(fields, cli, variables, cwd, problems)
    found = _complete({**yaml.found, **stronger}, fields, variables, problems)
    settings = _build(fields, found, problems)
    if settings is not None:
        _refuse_unreadable_store(settings, found, problems)
        _refuse_half_an_upstream(settings, found, problems)
    if problems or settings is None:
        raise SettingsError(problems)
    in_place = {name: cwd / getattr(settings, name).expanduser() for name in _DIRECTORIES}
    return LoadedSettings(
        settings.model_copy(update=in_place),
        {name: found[name].source if name in found else DEFAULT_SOURCE for name in fields},
        config_path=path,
        config_revision=yaml.revision,
        has_auth_section=yaml.has_auth_section,
        fixed_fields=frozenset(stronger),
    )


def load_from_process() -> LoadedSettings:
    """Without a command line of ours: this process's environment and working directory."""
    return load_settings(cli={}, environ=os.environ, config_path=None, cwd=Path.cwd())


def yaml_problems(text: str, label: str) -> list[Problem]:
    """What is wrong with the text of a YAML file, looked at by itself. `label` names the file."""
    problems: list[Problem] = []
    fields = setting_fields()
    found, _ = parse_yaml(text, label, fields, problems)
    _build(fields, found, problems)
    return problems


def _config_file(
    given: Path | None, variables: Variables, cwd: Path, problems: list[Problem]
) -> Path | None:
    if given is not None:
        return cwd / given
    named = variables.values.get(CONFIG_VARIABLE)
    if named:
        return cwd / named.strip()
    name = variables.values.get(_ENVIRONMENT_NAME, _DEFAULT_ENVIRONMENT).strip().lower()
    if not re.fullmatch(r"[a-z0-9_-]{1,32}", name):
        message = "must be 1 to 32 letters, digits, _ or -; it chooses conf/app.<ENV>.yaml"
        problems.append(Problem(_ENVIRONMENT_NAME, message, clip(name)))
        return None
    path = cwd / "conf" / f"app.{name}.yaml"
    return path if path.exists() else None


def _collect(
    fields: Mapping[str, SettingField],
    cli: Mapping[str, object],
    variables: Variables,
    cwd: Path,
    problems: list[Problem],
) -> dict[str, Found]:
    """The winning raw value of every setting that the command line or a variable sets."""
    found: dict[str, Found] = {}
    for name, field in fields.items():
        option = _OPTION_NAMES.get(name, f"--{name}")
        winner = (
            Found(cli[name], f"command line {option}", option)
            if cli.get(name) is not None
            else find_variable(field, variables, cwd, problems)
        )
        if winner is not None:
            found[name] = winner
    return found


def _complete(
    found: dict[str, Found],
    fields: Mapping[str, SettingField],
    variables: Variables,
    problems: list[Problem],
) -> dict[str, Found]:
    """`found`, in the fields' order, with the conventional proxy variable where no proxy is set."""
    ordered = {name: found[name] for name in fields if name in found}
    if "proxy_url" not in ordered:
        settings = _build(fields, ordered, [])
        proxy = None if settings is None else find_proxy(variables, settings.chatgpt_base_url)
        if proxy is not None:
            ordered["proxy_url"] = proxy
    return ordered


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


def _refuse_unreadable_store(
    settings: Settings, found: Mapping[str, Found], problems: list[Problem]
) -> None:
    # A key in this machine's DATA_DIR would be lost with the machine, and the others could not read.
    url = settings.database_url
    if url is not None and is_postgresql(url) and not settings.secret_key:
        message = "PostgreSQL needs SECRET_KEY, 16 characters or more, the same on every server"
        problems.append(_problem(setting_fields()["database_url"], found["database_url"], message))


def _refuse_half_an_upstream(
    settings: Settings, found: Mapping[str, Found], problems: list[Problem]
) -> None:
    fields = setting_fields()
    if settings.openai_compatible_base_url is None:
        message = "is of no use without OPENAI_COMPATIBLE_BASE_URL"
        problems.extend(
            _problem(fields[name], found[name], message)
            for name in found
            if name.startswith(f"{OPENAI_COMPATIBLE}_")
        )
        return
    name = settings.openai_compatible_name
    if any(entry.name == name for entry in settings.openai_compatible):
        written = found.get(f"{OPENAI_COMPATIBLE}_name", found[f"{OPENAI_COMPATIBLE}_base_url"])
        message = f"{name} is the name of an entry in the YAML file too; set another"
        problems.append(Problem(written.written_as, message))


def _reason(field: SettingField, detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":  # one of the model's own checks: already in plain words
        return str(detail["ctx"]["error"])
    if detail["type"] == "too_short":
        return "must not be empty"
    return f"must be {field.allowed}"


def _problem(field: SettingField, raw: Found, message: str) -> Problem:
    value = "***" if field.secret else mask_text(field.name, str(raw.value).strip())
    return Problem(raw.written_as, message, value, raw.line)
