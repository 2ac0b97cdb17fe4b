"""`accounts export`: the only way by which tokens leave the store, in three forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.cli.place import Place
from chat2api.cli.tables import counted, moment

if TYPE_CHECKING:
    from chat2api.secret import Secret
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
    place: Place, ids: tuple[str, ...], everything: bool, form: str, output: str, yes: bool
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


# --- forms


def rendered(accounts: Sequence[ExportedAccount], form: str) -> str:
    """The file's text. One login is an object in `auth.json`, several are a list of such."""
    if form == "tokens":
        return "".join(f"{line}\n" for line in map(_line, accounts) if line)
    if form == "json":
        return json.dumps([_entry(one) for one in accounts], indent=2) + "\n"
    logins = [_login(one) for one in accounts]
    return json.dumps(logins[0] if len(logins) == 1 else logins, indent=2) + "\n"


def _line(account: ExportedAccount) -> str:
    """The refresh token, which lives longest, unless it was refused; with the workspace behind it."""
    usable = None if account.failed else account.refresh_token
    token = usable or account.access_token or account.refresh_token
    if token is None:
        return ""
    return f"{token.reveal()},{account.workspace_id}" if account.workspace_id else token.reveal()


def _login(account: ExportedAccount) -> dict[str, Any]:
    return {
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": _text(account.id_token),
            "access_token": _text(account.access_token),
            "refresh_token": _text(account.refresh_token),
            "account_id": account.workspace_id,
        },
        "last_refresh": moment(account.refreshed_at),
    }


def _entry(account: ExportedAccount) -> dict[str, Any]:
    """What is not known is left out, since importers take null for damage."""
    everything = {
        "email": account.label,
        "type": "codex" if account.kind == "codex" else account.plan,
        "access_token": _text(account.access_token),
        "refresh_token": _text(account.refresh_token),
        "id_token": _text(account.id_token),
        "account_id": account.workspace_id,
        "last_refresh": moment(account.refreshed_at),
        "proxy": _text(account.proxy),
    }
    return {name: value for name, value in everything.items() if value}


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()
