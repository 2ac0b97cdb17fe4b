"""`python -m chat2api.simulator`: the embedded upstream on its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from chat2api.simulator.config import Config


def _read_settings(pairs: tuple[str, ...], file: Path | None) -> Config:
    settings: dict[str, Any] = {}
    if file is not None:
        settings |= json.loads(file.read_text(encoding="utf-8"))
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE")
        settings[name] = value
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=9000, show_default=True, help="Port; 0 picks a free one.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting, repeatable.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file of settings.",
)
@click.option("--tokens-file", help="Write the demo access tokens there, one a line.")
@click.option("--exit-with-stdin", is_flag=True, help="End when standard input closes.")
def main(
    host: str,
    port: int,
    pairs: tuple[str, ...],
    config_file: Path | None,
    tokens_file: str | None,
    exit_with_stdin: bool,
) -> None:
    """Simulates the ChatGPT web backend. Control routes are under /_sim/."""
    config = _read_settings(pairs, config_file)
    # Late: gunicorn is heavy, and `--help` does not need it.
    from chat2api.simulator.serve import serve

    serve(host, port, config, with_stdin=exit_with_stdin, tokens_file=tokens_file)


if __name__ == "__main__":
    main()
