"""What the operator sees: the settings, or why it will not run, on the terminal; then the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from chat2api.logs import configure_logging
from chat2api.serve.start import ExitCode, StartError
from chat2api.settings.load import LoadedSettings
from chat2api.settings.model import Settings
from chat2api.settings.problems import SettingsError
from chat2api.settings.show import describe

log = logging.getLogger(__name__)


def set_up_logs(settings: Settings) -> None:
    """Logging as the settings want it; may be called again after a reload."""
    file = settings.log_path / settings.log_file if settings.log_file else None
    configure_logging(settings.log_level, settings.log_format, file=file)


def show(loaded: LoadedSettings) -> None:
    """Tell version and effective settings: as plain lines, or as one log entry where logs are JSON."""
    lines = describe(loaded)
    if loaded.settings.log_format == "json":
        log.info("starting", extra={"settings": [line.strip() for line in lines]})
    else:
        click.echo("\n".join(lines))
        sys.stdout.flush()


@contextmanager
def leaving_plainly() -> Iterator[None]:
    """A mistake of the operator ends the process with its text and its exit code, without a trace."""
    try:
        yield
    except SettingsError as error:
        _leave(error, ExitCode.CONFIG)
    except StartError as error:
        _leave(error, error.exit_code)


def _leave(error: Exception, code: ExitCode) -> None:
    click.echo(f"{error}\n", nl=False, err=True)
    sys.exit(int(code))
