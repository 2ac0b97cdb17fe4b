"""Checks of the settings and of the files that hold them."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from chat2api.cli.checks.finding import Finding, fail, ok, warn
from chat2api.settings.fields import setting_fields
from chat2api.settings.load import LoadedSettings, load_settings
from chat2api.settings.model import Settings
from chat2api.settings.problems import SettingsError
from chat2api.settings.variables import read_variables

_CHECK = "configuration"
_DOTENV = ".env"
_SHORT_PASSWORD = 12
_CLOSE = 0.8  # of difflib: one letter wrong in six


def read_settings(
    config_path: Path | None, environ: Mapping[str, str], cwd: Path
) -> tuple[LoadedSettings | None, list[Finding]]:
    """The settings, None when they cannot be used, and what is to be said about them."""
    try:
        loaded = load_settings(cli={}, environ=environ, config_path=config_path, cwd=cwd)
    except SettingsError as error:
        cure = "Correct it; `chat2api config check` shows every setting and its source."
        return None, [fail(_CHECK, str(problem), cure) for problem in error.problems]
    where = "defaults" if loaded.config_path is None else f"file {loaded.config_path}"
    changed = sum(source != "default" for source in loaded.sources.values())
    found = [ok(_CHECK, f"{where}; {changed} settings are not at their default")]
    found += _misspelt(cwd / _DOTENV)
    found += _readable_by_others(cwd / _DOTENV)
    if loaded.config_path is not None:
        found += _readable_by_others(loaded.config_path)
    return loaded, [*found, check_password(loaded.settings)]


def _misspelt(dotenv: Path) -> Iterator[Finding]:
    """Names in `.env` that are nearly those of settings. Others may be somebody else's."""
    known = {field.variable for field in setting_fields().values()}
    known |= {f"{name}_FILE" for name in known}
    for name in read_variables({}, dotenv, []).values:
        bare = name.removeprefix("CHAT2API_")
        near = difflib.get_close_matches(bare.upper(), sorted(known), n=1, cutoff=_CLOSE)
        if bare not in known and near:
            yield warn(_CHECK, f"{name} in .env is not a setting", f"Did you mean {near[0]}?")


def _readable_by_others(path: Path) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & 0o007:
        yield warn(
            _CHECK, f"{path} may hold secrets and is open to every user", f"chmod 600 {path}"
        )


def check_password(settings: Settings) -> Finding:
    """Administration has a password of its own (decision 5)."""
    check, password = "admin password", settings.admin_password
    if password is None:
        cure = "Set ADMIN_PASSWORD; until then every API key of AUTHORIZATION opens /admin."
        return warn(check, "is not set", cure)
    if len(password.reveal()) < _SHORT_PASSWORD:
        return warn(check, "is short", f"Take one of {_SHORT_PASSWORD} characters or more.")
    return ok(check, "is set")
