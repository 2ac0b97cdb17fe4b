"""`accounts test` and `accounts refresh`: what asks the upstream about accounts."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

from chat2api.cli.place import Place, json_option
from chat2api.cli.progress import progress_bar
from chat2api.cli.tables import as_json as to_json
from chat2api.cli.tables import table

if TYPE_CHECKING:
    from chat2api.cli.workshop import Workshop
    from chat2api.jobs.renewing import Renewing, Tally
    from chat2api.lifetime.call import Call
    from chat2api.pool.values import Account, AccountRow

Result = Literal["ok", "refused", "limited", "failed"]

_TRIAL_SECONDS = 60.0


# --- which


def _selected(shop: Workshop, ids: Sequence[str], everything: bool) -> list[AccountRow]:
    """Those named, or all that are not paused. Raises click.UsageError, click.ClickException."""
    if bool(ids) is everything:
        raise click.UsageError("Name accounts by their ids, or use --all.")
    if everything:
        return [row for row in shop.book.everything() if row.state != "disabled"]
    found = {account_id: shop.book.find(account_id) for account_id in ids}
    for account_id, row in found.items():
        if row is None or row.removed_at is not None:
            raise click.ClickException(f"There is no account {account_id[:80]!r}.")
    return [row for row in found.values() if row is not None]


# --- test


@dataclass(frozen=True, slots=True)
class Trial:
    """What the upstream said to an account. `seconds` is how long it took."""

    id: str
    label: str
    result: Result
    seconds: float
    reason: str = ""


_TRIAL_COLUMNS = {
    "id": "ID",
    "label": "ACCOUNT",
    "result": "RESULT",
    "seconds": "SECONDS",
    "reason": "REASON",
}


@click.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are enabled.")
@json_option
@click.pass_obj
def test(place: Place, ids: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Ask the upstream for their models; tokens that have ended are renewed first.

    Exits with 1 unless all are well. Nothing is counted against them.

    \b
    Example: chat2api accounts test --all
    """
    from chat2api.cli.workshop import opened_workshop

    with opened_workshop(place) as shop:
        rows = _selected(shop, ids, everything)
        trials = _tried_all(shop, rows)
    shown = [asdict(trial) for trial in trials]
    click.echo(to_json(shown) if as_json else table(_TRIAL_COLUMNS, shown))
    if any(trial.result != "ok" for trial in trials):
        raise SystemExit(1)


def _tried_all(shop: Workshop, rows: Sequence[AccountRow]) -> list[Trial]:
    trials: list[Trial] = []
    parallel = shop.settings.refresh_parallel
    with progress_bar("Asking") as tell, ThreadPoolExecutor(parallel, "trial") as threads:
        for trial in threads.map(lambda row: _tried(shop, row), rows):
            trials.append(trial)
            tell(len(trials), len(rows))
    return trials


def _tried(shop: Workshop, row: AccountRow) -> Trial:
    began = time.monotonic()
    result, reason = _outcome(shop, row.account_id)
    seconds = round(time.monotonic() - began, 2)
    return Trial(row.account_id, row.label, result, seconds, reason)


def _outcome(shop: Workshop, account_id: str) -> tuple[Result, str]:
    from chat2api.errors import Chat2ApiError, UpstreamAuthFailed, UpstreamRateLimited
    from chat2api.lifetime.call import Call
    from chat2api.store.vault import WrongKey

    try:
        account = shop.book.account(account_id)
        if account is None:
            return "failed", "it was removed meanwhile"
        _ask(shop, account, Call(time.monotonic() + _TRIAL_SECONDS))
    except UpstreamAuthFailed as error:
        return "refused", error.message
    except UpstreamRateLimited as error:
        return "limited", error.message
    except Chat2ApiError as error:
        return "failed", error.message
    except WrongKey as error:
        return "failed", str(error)
    return "ok", ""


def _ask(shop: Workshop, account: Account, call: Call) -> None:
    """As a turn does: with a fresh token, and once more with another if that one is refused."""
    from chat2api.errors import UpstreamAuthFailed

    fresh = shop.tokens.of(account, call)
    try:
        _models(shop, fresh, call)
    except UpstreamAuthFailed:
        other = shop.tokens.again(fresh, call)
        if other is None:
            raise
        _models(shop, other, call)


def _models(shop: Workshop, account: Account, call: Call) -> None:
    from chat2api.providers.protocol import Io

    egress = shop.egress
    proxy = egress.proxy_for(account.credential, account.proxy)
    shop.provider.models(account.credential, Io(egress.transport, egress.compute, call, proxy))


# --- refresh


@click.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that have a refresh token.")
@click.option("--force", is_flag=True, help="Also those that rest after a failure.")
@json_option
@click.pass_obj
def refresh(
    place: Place, ids: tuple[str, ...], everything: bool, force: bool, as_json: bool
) -> None:
    """Renew their access tokens now. Exits with 1 if any could not be renewed.

    \b
    Example: chat2api accounts refresh --all
    """
    from chat2api.cli.workshop import opened_workshop

    with opened_workshop(place) as shop:
        rows = _selected(shop, ids, everything)
        due = shop.credentials.renewable() if everything else _credentials(shop, rows)
        tally = _renewed(shop, due, force=force)
        troubled = [] if everything else [shop.book.find(row.account_id) for row in rows]
    _tell(tally, len(due), as_json=as_json)
    for row in troubled:
        if row is not None and row.reason:
            click.echo(f"{row.account_id}: {row.reason}", err=True)
    if tally.renewed < len(due):
        raise SystemExit(1)


def _credentials(shop: Workshop, rows: Sequence[AccountRow]) -> list[tuple[str, int]]:
    found = [shop.book.credential_of(row.account_id) for row in rows]
    return [one for one in found if one is not None]


def _renewed(shop: Workshop, due: Sequence[tuple[str, int]], *, force: bool) -> Tally:
    from chat2api.factory.clockwork import pace_of
    from chat2api.jobs.renewing import Renewing

    renewing = Renewing(shop.renewals, pace_of(shop.settings))
    with progress_bar("Renewing") as tell, _stoppable(renewing):
        tally = renewing.run(due, forced=force, tell=lambda so_far: tell(so_far.total, len(due)))
    shop.note(
        "refresh accounts", "", renewed=tally.renewed, refused=tally.refused, failed=tally.failed
    )
    return tally


@contextmanager
def _stoppable(renewing: Renewing) -> Iterator[None]:
    """Ctrl-C ends the run between two exchanges: one under way must store what it is given."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: renewing.stop()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _tell(tally: Tally, wanted: int, *, as_json: bool) -> None:
    counts = {
        "renewed": tally.renewed,
        "refused": tally.refused,
        "failed": tally.failed,
        "left": wanted - tally.total,
    }
    if as_json:
        click.echo(to_json(counts))
        return
    parts = [f"{number} {name}" for name, number in counts.items() if number or name == "renewed"]
    click.echo(f"{', '.join(parts)}.")
    if tally.refused:
        click.echo("Refused ones need a new login: `accounts list --failed`.", err=True)
