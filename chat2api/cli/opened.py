"""The store for a command: settings read as the server reads them, the database brought up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from chat2api.errors import Chat2ApiError, StorageUnavailable
from chat2api.serve.console import leaving_plainly
from chat2api.serve.start import ExitCode
from chat2api.settings.load import LoadedSettings, load_settings
from chat2api.settings.model import Settings
from chat2api.settings.version import version
from chat2api.store.opening import KeyMismatch, Store, open_store, prepare_store
from chat2api.store.options import store_options
from chat2api.store.schema import NewerSchema
from chat2api.store.vault import WrongKey

_WAIT_SECONDS = 10.0


class DatabaseAway(click.ClickException):
    """The database does not answer: exit 69."""

    exit_code = int(ExitCode.UNAVAILABLE)


@contextmanager
def opened_store(config_path: Path | None, environ: Mapping[str, str]) -> Iterator[Store]:
    """The operator's mistakes, and a database that is away, end the command with one line."""
    with store_of(settings_here(config_path, environ).settings) as store:
        yield store


def settings_here(config_path: Path | None, environ: Mapping[str, str]) -> LoadedSettings:
    """As a server started here would have them. A mistake ends the process with exit 78."""
    with leaving_plainly():
        return load_settings(cli={}, environ=environ, config_path=config_path, cwd=Path.cwd())


@contextmanager
def store_of(settings: Settings) -> Iterator[Store]:
    """Prepared, and closed in the end; what fails inside is told in one line."""
    options = store_options(settings)
    with told_plainly():
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        prepare_store(options, version(), _WAIT_SECONDS)
        store = open_store(options)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def told_plainly() -> Iterator[None]:
    """What a command may meet, as one line and an exit code: 69 where the database is away, else 1."""
    try:
        yield
    except StorageUnavailable as error:
        raise DatabaseAway(error.message) from None
    except (Chat2ApiError, KeyMismatch, NewerSchema, WrongKey) as error:
        raise click.ClickException(str(error)) from None
    except BrokenPipeError:
        raise  # whoever read our output left
    except OSError as error:
        raise click.ClickException(_reason(error)) from None


def _reason(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"
