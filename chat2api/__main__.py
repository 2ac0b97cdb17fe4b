"""`python -m chat2api` and the `chat2api` command."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.settings.version import version

if TYPE_CHECKING:
    from chat2api.serve.keeper import SettingsKeeper

# Imported when asked for: `serve` must patch before anything else is there.
_GROUPS = {
    "accounts": "chat2api.cli.accounts",
    "backup": "chat2api.cli.backup",
    "doctor": "chat2api.cli.doctor",
    "keys": "chat2api.cli.keys",
    "login": "chat2api.cli.login",
    "restore": "chat2api.cli.backup",
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *_GROUPS})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _GROUPS:
            return super().get_command(context, name)
        command: click.Command = getattr(importlib.import_module(_GROUPS[name]), name)
        return command


@click.group(cls=_Commands)
@click.version_option(version(), prog_name="chat2api")
@click.pass_context
def main(context: click.Context) -> None:
    """Turn the chat accounts you own into standard APIs."""
    context.obj = os.environ
    if context.invoked_subcommand in _GROUPS:
        from chat2api.logs import configure_logging, log_uncaught_errors

        # Warnings of what a command uses are redacted as a server's are.
        configure_logging("warning", "text")
        log_uncaught_errors()


@main.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="YAML file.")
def check(config_path: Path | None) -> None:
    """Show every effective setting and its source; exit 78 when there is a mistake."""
    from chat2api.serve.console import leaving_plainly
    from chat2api.settings.load import load_settings
    from chat2api.settings.show import describe

    with leaving_plainly():
        loaded = load_settings(cli={}, environ=os.environ, config_path=config_path, cwd=Path.cwd())
        click.echo("\n".join(describe(loaded)))


@main.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve(options: tuple[str, ...]) -> None:
    """Serve; takes the options of `python app.py` (`serve --help` lists them)."""
    from chat2api.serve.early import go_green

    # As app.py does on its first line. Not at import: the compute pool's children import this file.
    go_green()

    from chat2api.serve.command import run

    run(options, _build, os.environ, _warm)


def _build(keeper: SettingsKeeper) -> Any:
    # Only workers come here, after the fork.
    from chat2api.factory.app import create_app

    return create_app(keeper)


def _warm() -> None:
    # The workers share what is imported before they are forked, and start at once.
    import chat2api.factory.app  # noqa: F401
    from chat2api.serve.early import settle

    settle()


if __name__ == "__main__":
    main()
