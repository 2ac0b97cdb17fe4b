"""`python -m chat2api login`: log an account in with a browser on any machine, without copying tokens.

What is heavy is imported inside the command: importing this file must stay cheap.
"""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.cli.place import Place, config_option, json_option
from chat2api.cli.tables import as_json as to_json

if TYPE_CHECKING:
    from chat2api.service.logins import Logins
    from chat2api.store.logins import Login

_LOOK_SECONDS = 1.0
_PLEASE = "The address of the page that does not load, or the code out of it"
_VERDICTS = {
    "added": "a new account",
    "updated": "the account has new tokens",
    "revived": "the account had been removed, and is back",
    "unchanged": "nothing of it was new",
}
_WHY = {
    "expired": "It was not finished in time.",
    "other_account": "That login is another account's",
    "other_workspace": "That login is for another workspace of the same person.",
    "taken": "That login is an account of its own here",
    "unnamed": "The tokens do not say whose they are.",
    "gone": "The account was removed meanwhile.",
    "damaged": "What was kept of this login cannot be read.",
}


@click.command()
@click.option("--device", "kind", flag_value="device", help="By a code to enter; the default.")
@click.option("--paste", "kind", flag_value="browser", help="By a link, and pasting its end back.")
@click.option("--account", "account_id", default="", metavar="ID", help="Whose login it has to be.")
@json_option
@config_option
@click.pass_context
def login(
    context: click.Context,
    kind: str | None,
    account_id: str,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Log in with ChatGPT: add an account, or give one that wants a login new tokens.

    A server that runs beside it may be the one who finishes it; the login ends with this command.

    \b
    Example: chat2api login --account acc_0123456789abcdef
    """
    with _opened(Place(context.obj or {}, config_path)) as logins:
        ended = _gone_through(logins, kind or "device", account_id)
    if as_json:
        click.echo(to_json(_described(ended)))
    elif ended.state == "done":
        result = ended.result
        verdict = _VERDICTS.get(result.verdict, result.verdict)
        click.echo(f"Signed in as {result.label or '?'} ({result.account_id}): {verdict}.")
    else:
        click.echo(_reason(ended), err=True)
    if ended.state != "done":
        raise SystemExit(1)


@contextmanager
def _opened(place: Place) -> Iterator[Logins]:
    from chat2api.cli.workshop import ACTOR, opened_workshop
    from chat2api.factory.logins import make_logins

    with opened_workshop(place) as shop:
        owner = f"{ACTOR}-{secrets.token_hex(8)}"
        yield make_logins(shop.store, owner, shop.egress, shop.settings, shop.intake)


def _gone_through(logins: Logins, kind: str, account_id: str) -> Login:
    """From the first question to the end, whatever it is."""
    from chat2api.cli.workshop import ACTOR

    begin = logins.start_browser if kind == "browser" else logins.start_device
    begun = begin(ACTOR, account_id)
    try:
        with _ended_like_by_hand():
            if begun.kind == "browser":
                return _by_link(logins, begun)
            return _by_code(logins, begun)
    except (KeyboardInterrupt, click.Abort):
        logins.cancel(begun.login_id)
        return logins.get(begun.login_id)


@contextmanager
def _ended_like_by_hand() -> Iterator[None]:
    """A terminal that is closed, and a stop from outside, are as Ctrl-C: else the login would stay open."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _by_code(logins: Logins, begun: Login) -> Login:
    minutes = max(1, round((begun.expires_at - begun.created_at) / 60))
    click.echo(f"Open {begun.address}", err=True)
    click.echo(f"and enter {begun.user_code} within {minutes} minutes.", err=True)
    click.echo("Never enter a code you did not ask for. Waiting; Ctrl-C cancels.", err=True)
    return _awaited(logins, begun)


def _by_link(logins: Logins, begun: Login) -> Login:
    if begun.fell_back:
        click.echo("The login server offers no codes, or not to this place.", err=True)
    click.echo(f"Log in at {begun.address}", err=True)
    click.echo("At the end a page at http://localhost does not load; that is right.", err=True)
    while True:
        text = click.prompt(_PLEASE, prompt_suffix=":\n", err=True)
        told = _submitted(logins, begun, text)
        if told is not None:
            return _awaited(logins, told)


def _submitted(logins: Logins, begun: Login, text: str) -> Login | None:
    """None when it was not this login's: the person may try again."""
    from chat2api.errors import Conflict, RequestError

    try:
        return logins.submit_callback(begun.login_id, text)
    except Conflict:
        return logins.get(begun.login_id)
    except RequestError as error:
        click.echo(error.message, err=True)
        return None


def _awaited(logins: Logins, begun: Login, sleep: Callable[[float], None] = time.sleep) -> Login:
    """Until it has ended. A server on the same database asks as well; the pace is kept by the row."""
    trouble = ""
    while (now := logins.look(begun.login_id)).is_open:
        if now.trouble and now.trouble != trouble:
            click.echo(f"{now.trouble}; it is tried again.", err=True)
        trouble = now.trouble
        if not logins.go_on(begun.login_id):
            sleep(_LOOK_SECONDS)
    return now


def _reason(ended: Login) -> str:
    result = ended.result
    if ended.state == "cancelled":
        return "Cancelled. Nothing was changed."
    if ended.is_open:
        return "It is nearly done, and a server that runs will finish it. See `accounts list`."
    why = _WHY.get(result.why, "The login server refused it")
    if not why.endswith("."):
        why += f": {result.label or result.detail}." if result.label or result.detail else "."
    return f"{why} Nothing was changed."


def _described(ended: Login) -> dict[str, Any]:
    result = ended.result
    return {
        "state": ended.state,
        "account": result.account_id or ended.account_id or None,
        "label": result.label or None,
        "verdict": result.verdict or None,
        "why": result.why or None,
        "detail": result.detail or None,
    }
