"""`python -m chat2api keys`: make, list and revoke API keys.

What is heavy is imported inside the commands: importing this file must stay cheap.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chat2api.cli.place import Place, config_option, json_option
from chat2api.cli.tables import as_json as to_json
from chat2api.cli.tables import moment, table

if TYPE_CHECKING:
    from chat2api.store.api_keys import ApiKey
    from chat2api.store.opening import Store

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_ASIDE = "not in force"
_DURATION = re.compile(r"([1-9]\d{0,5})([mhdw])")


@click.group()
@config_option
@click.pass_context
def keys(context: click.Context, config_path: Path | None) -> None:
    """Make, list and revoke API keys. The context's object is the environment."""
    context.obj = Place(context.obj or {}, config_path)


@keys.command()
@click.option("--label", required=True, help="Whose key it is; shown in lists.")
@click.option("--scope", "scopes", multiple=True, help="What it opens; may repeat. None: all.")
@click.option("--model", "models", multiple=True, help="Model or pattern; may repeat. None: all.")
@click.option("--expires", help="How long it is valid, such as 30d, 12h or 8w.")
@click.option("--rpm", type=int, help="Requests per minute, at most.")
@click.option("--daily-tokens", type=int, help="Tokens per day, at most.")
@click.pass_obj
def create(
    place: Place,
    label: str,
    scopes: tuple[str, ...],
    models: tuple[str, ...],
    expires: str | None,
    rpm: int | None,
    daily_tokens: int | None,
) -> None:
    """Make a key and print it, this once."""
    seconds = None if expires is None else seconds_of(expires)
    with _opened(place) as store:
        from chat2api.store.api_keys import ApiKeys

        made, secret = ApiKeys(store).create(
            label,
            scopes=scopes,
            models=models,
            expires_at=None if seconds is None else store.now() + seconds,
            requests_per_minute=rpm,
            daily_tokens=daily_tokens,
        )
        _note(store, "create key", made)
    click.echo(f"Key {made.key_id} ({made.label}). It is shown this once:", err=True)
    click.echo(secret.reveal())


@keys.command(name="list")
@json_option
@click.pass_obj
def list_keys(place: Place, as_json: bool) -> None:
    """All keys, without the keys themselves."""
    from chat2api.cli.opened import settings_here, store_of

    loaded = settings_here(place.config_path, place.environ)
    with store_of(loaded.settings) as store:
        from chat2api.store.api_keys import ApiKeys

        found = ApiKeys(store).list()
        now = store.now()
    source = loaded.sources["authorization"] if loaded.settings.authorization else ""
    shown = [described(key, now, has_configured=bool(source)) for key in found]
    click.echo(to_json(shown) if as_json else listing(shown, source))


@keys.command()
@click.argument("key_id", metavar="ID")
@click.pass_obj
def revoke(place: Place, key_id: str) -> None:
    """Refuse a key from now on."""
    with _opened(place) as store:
        from chat2api.store.api_keys import ApiKeys

        _note(store, "revoke key", ApiKeys(store).revoke(key_id))
    click.echo(f"Key {key_id} is revoked.")


def seconds_of(text: str) -> int:
    """`30d` and the like in seconds. Raises click.BadParameter."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise click.BadParameter(
            "use a number and m, h, d or w, such as 30d", param_hint="--expires"
        )
    return int(match[1]) * _UNITS[match[2]]


def described(key: ApiKey, now: float, *, has_configured: bool = False) -> dict[str, Any]:
    """A key as JSON tells it; times as ISO 8601 in UTC. The first key steps back for configured ones."""
    state = (
        "revoked" if key.revoked_at is not None else "active" if key.is_usable(now) else "expired"
    )
    if state == "active" and key.kind == "first" and has_configured:
        state = _ASIDE
    return {
        "id": key.key_id,
        "label": key.label,
        "kind": key.kind,
        "hint": key.hint,
        "state": state,
        "scopes": sorted(key.scopes),
        "models": list(key.models),
        "requests_per_minute": key.requests_per_minute,
        "daily_tokens": key.daily_tokens,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "last_used_at": moment(key.last_used_at),
    }


_COLUMNS = {
    "id": "ID",
    "label": "LABEL",
    "hint": "KEY",
    "state": "STATE",
    "scopes": "SCOPES",
    "models": "MODELS",
    "requests_per_minute": "PER MINUTE",
    "daily_tokens": "TOKENS A DAY",
    "expires_at": "EXPIRES",
    "last_used_at": "LAST USED",
}


def listing(shown: list[dict[str, Any]], configured_in: str = "") -> str:
    """What `described` tells of keys, for people; `configured_in` says where those of the settings are."""
    if not shown:
        return "There are no keys."
    aside = f"{_ASIDE}: keys are configured in {configured_in}"
    shown = [row | {"state": aside} if row["state"] == _ASIDE else row for row in shown]
    named = [
        row | {name: ",".join(row[name]) or "all" for name in ("scopes", "models")} for row in shown
    ]
    return table(_COLUMNS, named)


def _note(store: Store, action: str, key: ApiKey) -> None:
    from chat2api.store.audit import Audit

    shown = described(key, store.now())
    Audit(store).note(
        "cli",
        "",
        action,
        key.key_id,
        {
            "label": key.label,
            "limits": {
                name: shown[name]
                for name in (
                    "scopes",
                    "models",
                    "requests_per_minute",
                    "daily_tokens",
                    "expires_at",
                )
            },
        },
    )


@contextmanager
def _opened(place: Place) -> Iterator[Store]:
    from chat2api.cli.opened import opened_store

    with opened_store(place.config_path, place.environ) as store:
        yield store
