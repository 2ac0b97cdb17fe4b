"""`python -m chat2api` and the `chat2api` command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.settings.version import version

if TYPE_CHECKING:
    from chat2api.settings.model import Settings


@click.group()
@click.version_option(version(), prog_name="chat2api")
def main() -> None:
    """Turn the chat accounts you own into standard APIs."""


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
    from gevent import monkey

    # As app.py does on its first line. Not at import: the compute pool's children import this file.
    monkey.patch_all()

    from chat2api.serve.command import run

    run(options, _build, os.environ)


def _build(settings: Settings) -> Any:
    # Only workers come here, after the fork.
    from chat2api.factory import create_app

    return create_app(settings)


if __name__ == "__main__":
    main()
