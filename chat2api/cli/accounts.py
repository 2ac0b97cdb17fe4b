"""`python -m chat2api accounts`: the pool from the command line.

What is heavy is imported inside the commands: importing this file must stay cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.cli.arriving import add, import_
from chat2api.cli.exporting import export
from chat2api.cli.place import Place, config_option, json_option
from chat2api.cli.tables import as_json as to_json
from chat2api.cli.tables import counted, listed, moment, table
from chat2api.cli.trying import refresh, test

if TYPE_CHECKING:
    from chat2api.cli.workshop import Workshop
    from chat2api.pool.values import AccountRow


@click.group()
@config_option
@click.pass_context
def accounts(context: click.Context, config_path: Path | None) -> None:
    """Take in, look at, try, renew, export and remove accounts; also while a server runs.

    \b
    Example: chat2api accounts import ./data
    """
    context.obj = Place(context.obj or {}, config_path)


for _command in (import_, add, test, refresh, export):
    accounts.add_command(_command)

_EMPTY = "There are no accounts yet. See `accounts add --help` and `accounts import --help`."
_IDS = click.argument("ids", metavar="ID...", nargs=-1, required=True)


# --- looking


@accounts.command(name="list")
@click.option("--failed", is_flag=True, help="Only those that need a login or were refused.")
@click.option("--removed", is_flag=True, help="Those removed within the last day.")
@json_option
@click.pass_obj
def list_accounts(place: Place, failed: bool, removed: bool, as_json: bool) -> None:
    """All accounts, without their tokens.

    \b
    Example: chat2api accounts list --failed
    """
    if failed and removed:
        raise click.UsageError("Use --failed or --removed, not both.")
    from chat2api.cli.workshop import opened_workshop

    with opened_workshop(place) as shop:
        rows = shop.book.removed() if removed else shop.book.everything(_which(failed))
    shown = [described(row) for row in rows]
    none = "There are no such accounts." if failed or removed else _EMPTY
    click.echo(to_json(shown) if as_json else _table(shown) or none)


def _which(failed: bool) -> Any:
    return "failed" if failed else "all"


def described(row: AccountRow) -> dict[str, Any]:
    """An account as JSON tells it; times as ISO 8601 in UTC, the token masked."""
    return {
        "id": row.account_id,
        "label": row.label,
        "kind": row.kind,
        "plan": row.plan,
        "workspace": row.workspace_id,
        "state": row.state,
        "until": moment(row.until),
        "reason": row.reason,
        "pooled": row.pooled,
        "renewable": row.renewable,
        "expires_at": moment(row.expires_at),
        "refreshed_at": moment(row.refreshed_at),
        "last_used_at": moment(row.last_used_at),
        "removed_at": moment(row.removed_at),
        "model_limits": {key: moment(until) for key, until in sorted(row.model_limits.items())},
        "source": row.source,
        "proxy": row.proxy_masked,
        "note": row.note,
        "token": row.masked_token,
    }


_COLUMNS = {
    "id": "ID",
    "label": "ACCOUNT",
    "plan": "PLAN",
    "stands": "STATE",
    "renewable": "RENEWABLE",
    "expires_at": "EXPIRES",
    "last_used_at": "LAST USED",
    "source": "SOURCE",
    "token": "TOKEN",
}


def _table(shown: Sequence[dict[str, Any]]) -> str:
    if not shown:
        return ""
    return table(_COLUMNS, [row | {"stands": _standing(row)} for row in shown])


def _standing(row: dict[str, Any]) -> str:
    until = f" until {row['until']}" if row["until"] else ""
    return f"{row['state']}{until}{'' if row['pooled'] else ', for seeds only'}"


# --- changing


@dataclass(frozen=True, slots=True)
class _Change:
    """What a command does to accounts, in the words of the audit log and of the person."""

    action: str
    done: str
    of_removed: bool = False


def _changed(
    place: Place,
    ids: Sequence[str],
    change: _Change,
    work: Callable[[Workshop, Sequence[str]], int],
) -> None:
    from chat2api.cli.workshop import opened_workshop

    with opened_workshop(place) as shop:
        refuse_unknown(shop, ids, of_removed=change.of_removed)
        wanted = list(dict.fromkeys(ids))
        number = work(shop, wanted)
        shop.note(change.action, listed(wanted))
    click.echo(f"{counted(number, 'account')} {change.done}.")


def refuse_unknown(shop: Workshop, ids: Sequence[str], *, of_removed: bool = False) -> None:
    """Before anything is changed. Raises click.ClickException."""
    for account_id in ids:
        row = shop.book.find(account_id)
        if row is None or (row.removed_at is not None) is not of_removed:
            kind = "removed account" if of_removed else "account"
            raise click.ClickException(
                f"There is no {kind} {account_id[:80]!r}; nothing was changed."
            )


@accounts.command()
@_IDS
@click.pass_obj
def disable(place: Place, ids: tuple[str, ...]) -> None:
    """Use them for nothing until `enable`; their tokens are renewed meanwhile.

    \b
    Example: chat2api accounts disable acc_0123456789abcdef
    """
    change = _Change("disable accounts", "disabled")
    _changed(place, ids, change, lambda shop, wanted: shop.book.pause(wanted))


@accounts.command()
@_IDS
@click.pass_obj
def enable(place: Place, ids: tuple[str, ...]) -> None:
    """Use them again.

    \b
    Example: chat2api accounts enable acc_0123456789abcdef
    """
    change = _Change("enable accounts", "enabled")
    _changed(place, ids, change, lambda shop, wanted: shop.book.resume(wanted))


@accounts.command()
@_IDS
@click.pass_obj
def remove(place: Place, ids: tuple[str, ...]) -> None:
    """Take them out of the pool; `restore` undoes it for a day.

    \b
    Example: chat2api accounts remove acc_0123456789abcdef
    """
    change = _Change("remove accounts", "removed; for a day `accounts restore` brings them back")
    _changed(place, ids, change, lambda shop, wanted: shop.book.remove(wanted))


@accounts.command()
@_IDS
@click.pass_obj
def restore(place: Place, ids: tuple[str, ...]) -> None:
    """Bring back what was removed within the last day.

    \b
    Example: chat2api accounts restore acc_0123456789abcdef
    """
    change = _Change("restore accounts", "restored", of_removed=True)
    _changed(place, ids, change, lambda shop, wanted: shop.book.restore(wanted))


@accounts.command()
@_IDS
@click.pass_obj
def lift(place: Place, ids: tuple[str, ...]) -> None:
    """Forget their limits and rests, without asking the upstream.

    \b
    Example: chat2api accounts lift acc_0123456789abcdef
    """
    change = _Change("lift limits", "free of limits")
    _changed(place, ids, change, lambda shop, wanted: shop.book.lift(wanted))
