"""Where a command finds its settings, and the words its options share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """The environment, and the YAML file when the operator named one."""

    environ: Mapping[str, str]
    config_path: Path | None


def config_option(command: _Command) -> _Command:
    """`--config FILE`, as the argument `config_path`."""
    option = click.option(
        "--config", "config_path", type=click.Path(path_type=Path), help="YAML file."
    )
    return option(command)


def json_option(command: _Command) -> _Command:
    """`--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="As JSON.")(command)
