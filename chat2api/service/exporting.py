"""Accounts on their way out: with their tokens in three forms that any importer reads, or as a plain list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from chat2api.pool.values import AccountRow
from chat2api.secret import Secret
from chat2api.store.account_book import ExportedAccount

Form = Literal["json", "auth.json", "tokens"]
FORMS: tuple[Form, ...] = ("json", "auth.json", "tokens")


# --- with tokens


def rendered(accounts: Sequence[ExportedAccount], form: Form) -> str:
    """The file's text. One login is an object in `auth.json`, several are a list of such."""
    if form == "tokens":
        return "".join(f"{line}\n" for line in map(token_line, accounts) if line)
    if form == "json":
        return json.dumps([_entry(one) for one in accounts], indent=2) + "\n"
    logins = [_login(one) for one in accounts]
    return json.dumps(logins[0] if len(logins) == 1 else logins, indent=2) + "\n"


def token_line(account: ExportedAccount) -> str:
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
        "last_refresh": _moment(account.refreshed_at),
    }


def _entry(account: ExportedAccount) -> dict[str, Any]:
    """What is not known is left out, since importers take null for damage."""
    is_email = "@" in account.label
    everything = {
        "email": account.label if is_email else None,
        "name": None if is_email else account.label,
        "type": "codex" if account.kind == "codex" else account.plan,
        "kind": account.kind,
        "access_token": _text(account.access_token),
        "refresh_token": _text(account.refresh_token),
        "id_token": _text(account.id_token),
        "account_id": account.workspace_id,
        "last_refresh": _moment(account.refreshed_at),
        "proxy": _text(account.proxy),
        "note": account.note,
    }
    return {name: value for name, value in everything.items() if value}


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


# --- without


def as_list(rows: Iterable[AccountRow]) -> str:
    """JSON: what the page of accounts shows, and no token, masked or not."""
    facts = [dict(zip(COLUMNS, facts_of(row), strict=True)) for row in rows]
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


COLUMNS = (
    "id",
    "name",
    "kind",
    "plan",
    "workspace",
    "state",
    "reason",
    "until",
    "token_ends",
    "renewable",
    "last_used",
    "last_renewed",
    "note",
    "source",
)


def facts_of(row: AccountRow) -> tuple[Any, ...]:
    """In the order of `COLUMNS`; times in ISO 8601, UTC."""
    return (
        row.account_id,
        row.label,
        row.kind,
        row.plan,
        row.workspace_id,
        row.state,
        row.reason,
        _moment(row.until),
        _moment(row.expires_at),
        row.renewable,
        _moment(row.last_used_at),
        _moment(row.refreshed_at),
        row.note,
        row.source,
    )


def _moment(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC, to the second."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat("T", "seconds")
