"""GET and PUT of the configuration file, without HTTP: what is shown, and what a change does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat2api.errors import Chat2ApiError, InternalError, RequestError
from chat2api.settings.config_file import (
    ConfigDocument,
    ConfigFileError,
    config_lock,
    read_document,
    write_document,
)
from chat2api.settings.config_merge import Merged, merge
from chat2api.settings.config_raw import masked_text
from chat2api.settings.config_view import render
from chat2api.settings.load import LoadedSettings, yaml_problems
from chat2api.settings.yaml_file import revision_of


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """`view` is what GET gives from now on. The words are masked; without changes nothing was written."""

    view: dict[str, Any]
    changes: list[str]
    warnings: list[str]
    valid_keys: list[str]


def current_view(loaded: LoadedSettings, path: Path) -> dict[str, Any]:
    """The file at `path` (`loaded.config_path`) as GET answers it.

    Its `revision` is also the ETag. Raises InternalError when the file cannot be read.
    """
    return _view(_read(path), path, loaded.fixed_fields)


def apply_change(
    path: Path,
    body: object,
    if_match: str | None,
    fixed: frozenset[str] = frozenset(),
) -> ApplyResult:
    """Work a PUT's JSON into the file, all of it or nothing.

    `if_match` is that header or None; `fixed` is `loaded.fixed_fields`. The settings in use do not change
    by this: poll the keeper afterwards. Raises RequestError (400), Conflict (409), InternalError (500).
    """
    try:
        with config_lock(path):
            document = read_document(path)
            merged = merge(document, body, if_match, fixed)
            if merged.changes:
                document = _write(path, document)
    except ConfigFileError as error:
        raise InternalError(str(error)) from error
    return ApplyResult(
        _view(document, path, fixed), merged.changes, merged.warnings, merged.valid_keys
    )


def plan_change(
    path: Path, body: object, if_match: str | None, fixed: frozenset[str] = frozenset()
) -> Merged:
    """What `apply_change` would do, without doing it. Raises the same."""
    document = _read(path)
    merged = merge(document, body, if_match, fixed)
    if merged.changes:
        _refuse_broken(document.dump(), path)
    return merged


def raw_view(path: Path, scrub: Callable[[str], str]) -> str:
    """The file's text with its comments, secrets masked; `scrub` as for `masked_text`. Raises InternalError where it is not YAML."""
    try:
        return masked_text(read_document(path).text, path.name, scrub)
    except ConfigFileError as error:
        raise InternalError(str(error)) from error


def _read(path: Path) -> ConfigDocument:
    try:
        return read_document(path)
    except ConfigFileError as error:
        raise InternalError(str(error)) from error


def _write(path: Path, document: ConfigDocument) -> ConfigDocument:
    text = document.dump()
    _refuse_broken(text, path)
    write_document(path, text)
    return ConfigDocument(document.data, revision_of(text.encode()), text)


def _refuse_broken(text: str, path: Path) -> None:
    problems = yaml_problems(text, path.name)
    if problems:
        raise _refused(str(problems[0]))


def _refused(problem: str) -> Chat2ApiError:
    return RequestError(f"The file would not be accepted: {problem}.", code="invalid_configuration")


def _view(document: ConfigDocument, path: Path, fixed: frozenset[str]) -> dict[str, Any]:
    return render(
        document.data, revision=document.revision, config_path=shown_path(path), fixed=fixed
    )


def shown_path(path: Path) -> str:
    """The path below the working directory; elsewhere only the name, which tells nothing of the machine."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.name
