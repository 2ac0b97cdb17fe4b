"""`accounts export`: the only way by which tokens leave the store, in three forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chat2api.cli.place import Place
from chat2api.cli.tables import counted

if TYPE_CHECKING:
    from chat2api.service.exporting import Form
    from chat2api.store.account_book import ExportedAccount

_TERMINAL = "-"


@click.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All accounts.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auth.json", "tokens", "json"]),
    default="json",
    show_default=True,
    help="auth.json: as Codex writes it. tokens: one a line. json: everything known.",
)
@click.option("--output", required=True, help="A new file (mode 0600), or - with --yes.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def export(
    place: Place, ids: tuple[str, ...], everything: bool, form: Form, output: str, yes: bool
) -> None:
    """Write accounts with their tokens, in clear. `accounts import` reads every form.

    \b
    Example: chat2api accounts export --all --output accounts.json
    """
    if bool(ids) is everything:
        raise click.UsageError("Name accounts by their ids, or use --all.")
    if output == _TERMINAL and not yes:
        raise click.UsageError("Tokens go to the terminal with --yes only.")
    if output != _TERMINAL and Path(output).exists():
        raise click.ClickException(f"{click.format_filename(output)} exists; nothing was written.")
    from chat2api.cli.workshop import opened_workshop
    from chat2api.service.exporting import rendered

    with opened_workshop(place) as shop:
        found = shop.book.export(None if everything else ids)
        _refuse_missing(found, ids)
        where = "the terminal" if output == _TERMINAL else click.format_filename(output)
        if not yes:
            asked = f"Write {counted(len(found), 'account')} with tokens in clear to {where}?"
            click.confirm(asked, abort=True, err=True)
        # Noted before it is done: nothing leaves without a trace.
        shop.note("export accounts", where, accounts=len(found), format=form)
        _write(output, rendered(found, form))
    click.echo(f"{counted(len(found), 'account')} written to {where}.", err=True)


def _refuse_missing(found: Sequence[ExportedAccount], ids: Sequence[str]) -> None:
    there = {one.account_id for one in found}
    for account_id in ids:
        if account_id not in there:
            raise click.ClickException(
                f"There is no account {account_id[:80]!r}; nothing was written."
            )


def _write(output: str, content: str) -> None:
    if output == _TERMINAL:
        click.echo(content, nl=False)
        return
    from chat2api.store.once import write_once

    if not write_once(Path(output), content.encode()):
        raise click.ClickException(f"{click.format_filename(output)} exists; nothing was written.")
