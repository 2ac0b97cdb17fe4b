"""`accounts import` and `accounts add`: accounts coming in, from files or from whoever types them.

Tokens come through files, standard input or a prompt, never as arguments: those stand in the list of
processes for everybody to see.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.cli.place import Place, json_option
from chat2api.cli.progress import progress_bar
from chat2api.cli.tables import as_json as to_json
from chat2api.cli.tables import counted, listed

if TYPE_CHECKING:
    from chat2api.cli.workshop import Workshop
    from chat2api.secret import Secret
    from chat2api.service.arrivals import ImportReport
    from chat2api.service.importing.found import Found, Skipped

_VERDICTS = ("added", "updated", "unchanged", "revived")
_MOST_SKIPPED_SHOWN = 20
# A terminal cuts a typed line here, without a word.
_TERMINAL_LINE = 4095
_STDIN = "standard input"
_SOURCE = "cli"


# --- import


@click.command(name="import")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Tell what would be taken, and take nothing.")
@json_option
@click.pass_obj
def import_(place: Place, paths: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Take accounts from files and folders of this and other programs; twice changes nothing.

    \b
    Example: chat2api accounts import ./data ~/.codex/auth.json --dry-run
    """
    from chat2api.cli.workshop import opened_workshop

    whole = [Path(os.path.abspath(path)) for path in paths]
    with opened_workshop(place) as shop:
        reports = (
            shop.arrivals.preview(whole) if dry_run else [_taken(shop, path) for path in whole]
        )
    shown = [_reported(path, report) for path, report in zip(paths, reports, strict=True)]
    click.echo(
        to_json({"dry_run": dry_run, "paths": shown}) if as_json else _summary(shown, dry_run)
    )
    if not all(map(_holds_something, reports)):
        raise SystemExit(1)


def _taken(shop: Workshop, path: Path) -> ImportReport:
    with progress_bar(path.name) as tell:
        report = shop.arrivals.take(path, progress=tell)
    shop.note("import accounts", path.name, **_counts(report))
    return report


def _holds_something(report: ImportReport) -> bool:
    """A path from which nothing at all was taken was hardly the one that was meant."""
    return bool(report.accounts or report.seeds or report.conversations or not report.skipped)


def _counts(report: ImportReport) -> dict[str, int]:
    verdicts = {str(verdict): number for verdict, number in report.verdicts.items()}
    return {
        **{name: verdicts.get(name, 0) for name in _VERDICTS},
        "seeds": report.seeds,
        "conversations": report.conversations,
    }


def _reported(path: Path, report: ImportReport) -> dict[str, Any]:
    skipped = [{"where": one.where, "reason": one.reason} for one in report.skipped]
    return {"path": click.format_filename(path), **_counts(report), "skipped": skipped}


def _summary(shown: Iterable[dict[str, Any]], dry_run: bool) -> str:
    lines = ["Nothing is taken; this is what would be:"] if dry_run else []
    for one in shown:
        lines.append(f"{one['path']}: {_numbers(one)}")
        lines += _skipped_lines([f"{each['where']}: {each['reason']}" for each in one["skipped"]])
    return "\n".join(lines)


def _numbers(one: dict[str, Any]) -> str:
    parts = [f"{one[name]} {name}" for name in _VERDICTS]
    parts += [
        f"{counted(one[name], word)} new"
        for name, word in (("seeds", "seed"), ("conversations", "conversation"))
        if one[name]
    ]
    skipped = len(one["skipped"])
    return listed([*parts, *([f"{skipped} skipped"] if skipped else [])])


def _skipped_lines(reasons: Sequence[str]) -> list[str]:
    lines = [f"  {reason}" for reason in reasons[:_MOST_SKIPPED_SHOWN]]
    more = len(reasons) - _MOST_SKIPPED_SHOWN
    return [*lines, f"  and {more} more; --json lists all"] if more > 0 else lines


# --- add


@click.command()
@click.option("--auth-json", type=click.Path(path_type=Path), help="A login file, such as Codex's.")
@click.option("--proxy", "proxy_text", help="Their proxy, if it has no password.")
@click.option("--proxy-file", type=click.File("r"), help="File with the address of their proxy.")
@click.option("--note", default="", help="A note on them.")
@click.pass_obj
def add(
    place: Place, auth_json: Path | None, proxy_text: str | None, proxy_file: Any, note: str
) -> None:
    """Add accounts by their tokens: one a line on standard input, or typed unseen.

    A line is TOKEN or TOKEN,ACCOUNT_ID; access and refresh tokens are told apart.

    \b
    Example: chat2api accounts add < token.txt
    """
    proxy = _proxy(proxy_text, proxy_file)
    found = _handed_in(auth_json)
    from chat2api.cli.workshop import opened_workshop

    news = [
        replace(one.new, proxy=proxy or one.new.proxy, note=note or one.new.note)
        for one in found.accounts
    ]
    _tell_skipped(found.skipped)
    if not news:
        raise click.ClickException("There is no token in it; nothing was changed.")
    with opened_workshop(place) as shop:
        added = shop.intake.add(news, _SOURCE, at_once=True)
        shop.note("add accounts", listed(one.account_id for one in added))
    for one in added:
        click.echo(f"{one.account_id}  {one.verdict}")


def _proxy(text: str | None, file: Any) -> Secret | None:
    """Raises click.UsageError; its text never shows the address."""
    from chat2api.secret import Secret
    from chat2api.settings.checks import is_proxy

    if text is not None and file is not None:
        raise click.UsageError("Use --proxy or --proxy-file, not both.")
    if text is not None and "@" in text:
        raise click.UsageError(
            "A proxy with a password would stand in the list of processes: write it into a file and "
            "use --proxy-file."
        )
    written = text if file is None else file.read(_TERMINAL_LINE).strip()
    if not written:
        return None
    try:
        return is_proxy(Secret(written))
    except ValueError:
        raise click.UsageError("The proxy must be an http, https or socks5 address.") from None


def _handed_in(auth_json: Path | None) -> Found:
    from chat2api.service.importing.content import LARGEST_BYTES, TOO_LARGE
    from chat2api.service.importing.folder import read_path
    from chat2api.service.importing.merging import merge
    from chat2api.service.importing.recognise import read_content

    if auth_json is not None:
        return read_path(auth_json)
    content = _typed() if sys.stdin.isatty() else sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise click.ClickException(f"Standard input {TOO_LARGE}; nothing was changed.")
    return merge([read_content(_STDIN, content)])


def _typed() -> bytes:
    """Lines from the terminal, to the first empty one. Several may be pasted at once."""
    lines = []
    with _unseen(sys.stdin.fileno()):
        click.echo("One token a line; an empty line ends. Nothing of it is shown.", err=True)
        while line := sys.stdin.readline().rstrip("\r\n"):
            if len(line) >= _TERMINAL_LINE:
                raise click.ClickException(
                    "This line is too long for a terminal: use a file or a pipe."
                )
            lines.append(line)
            click.echo(f"{counted(len(lines), 'line')} read", err=True)
    return "\n".join(lines).encode()


@contextmanager
def _unseen(terminal: int) -> Iterator[None]:
    """One change for all lines: a prompt a line would show, or drop, what is pasted in between."""
    before = termios.tcgetattr(terminal)
    silent = list(before)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _tell_skipped(skipped: Sequence[Skipped]) -> None:
    for line in _skipped_lines([f"{one.where}: {one.reason}" for one in skipped]):
        click.echo(line, err=True)
