"""Tokens and accounts as people hand them in, and a store to put them into."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Table, select

from chat2api.pool.values import Account, Need, NewAccount
from chat2api.secret import Secret
from chat2api.store import tables
from chat2api.store.engine import Database
from chat2api.store.opening import Store
from chat2api.store.vault import Vault

NOW = 1_750_000_000.0
KEY = Secret("a key of the store's suite")
NEED = Need("chatgpt", "gpt-5")
DAY = 86_400.0


class Clock:
    """Stands still until it is moved; for stores, and for whoever wants a function."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def __call__(self) -> float:
        return self.at


def jwt(payload: Any) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{middle}.c2lnbmF0dXJl"


def claims(user: str, workspace: str, ends: float | None, plan: str = "plus") -> dict[str, Any]:
    auth = {
        "chatgpt_user_id": f"user-{user}",
        "chatgpt_account_id": workspace,
        "chatgpt_plan_type": plan,
    }
    found: dict[str, Any] = {
        "https://api.openai.com/auth": auth,
        "https://api.openai.com/profile": {"email": f"{user}@example.com"},
        "jti": uuid.uuid4().hex,
    }
    return found if ends is None else found | {"exp": ends}


def access(user: str = "ann", workspace: str = "", ends: float | None = NOW + 10 * DAY) -> Secret:
    """An access token that names its person, and is another one each time."""
    return Secret(jwt(claims(user, workspace or f"ws-{user}", ends)))


def refresh() -> Secret:
    return Secret(f"rt_{uuid.uuid4().hex}{uuid.uuid4().hex}")


def handed(user: str = "ann", **more: Any) -> NewAccount:
    """An account by its access token; `ends` and `workspace` go into that."""
    token = access(user, more.pop("workspace", ""), more.pop("ends", NOW + 10 * DAY))
    return NewAccount(access_token=token, **more)


def by_refresh(**more: Any) -> NewAccount:
    return NewAccount(refresh_token=refresh(), **more)


# --- stores


@dataclass(frozen=True, slots=True)
class Place:
    """A prepared database without a process on it yet."""

    url: str
    data_dir: Path

    def open(self, clock: Clock | None = None, **options: Any) -> Store:
        given: Any = clock or Clock()
        return Store(Database(self.url, **options), _vault(), self.data_dir, given)


@cache
def _vault() -> Vault:
    return Vault([KEY], b"pepper of the store's suite")


def rows(store: Store, table: Table) -> list[dict[str, Any]]:
    """Everything in a table, in the order of its key."""
    query = select(table).order_by(*table.primary_key)
    return store.database.read(
        lambda connection: [dict(row._mapping) for row in connection.execute(query)]
    )


def whole(store: Store) -> dict[str, list[dict[str, Any]]]:
    return {table.name: rows(store, table) for table in tables.metadata.sorted_tables}


def account_row(store: Store, account_id: str) -> dict[str, Any]:
    (found,) = [row for row in rows(store, tables.accounts) if row["account_id"] == account_id]
    return found


def credential_row(store: Store, account_id: str) -> dict[str, Any]:
    credential_id = account_row(store, account_id)["credential_id"]
    (found,) = [
        row for row in rows(store, tables.credentials) if row["credential_id"] == credential_id
    ]
    return found


def change(store: Store, table: Table, **values: Any) -> None:
    """Set columns in every row."""
    store.database.write(lambda connection: connection.execute(table.update().values(**values)))


def token_of(account: Account) -> str:
    token = account.credential.access_token
    return "" if token is None else token.reveal()
