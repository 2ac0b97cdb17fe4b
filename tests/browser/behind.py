"""What the tests of acts at the desk do behind its back: accounts changed, tables read, a picture's first pixel."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from sqlalchemy import select, update

from chat2api.pool.values import NewAccount
from chat2api.secret import Secret
from chat2api.store import desk_tables, tables
from chat2api.store.intake import Intake

from .furnished import Furnished, made_accounts, opened

# What lives on by itself: sessions that are used, workers that are alive.
LIVE_TABLES = {"sessions", "workers", "leases"}


def set_account(made: Furnished, name: str, **values: Any) -> None:
    store = opened(made.server)
    which = tables.accounts.c.account_id == made.accounts[name]
    try:
        store.database.write(
            lambda connection: connection.execute(
                update(tables.accounts).where(which).values(values)
            )
        )
    finally:
        store.close()


def now(made: Furnished) -> float:
    store = opened(made.server)
    try:
        return store.now()
    finally:
        store.close()


def pill(page: Page, name: str) -> Any:
    return page.locator(f"tr:has-text('{name}@') .pill")


def config_of(made: Furnished) -> Path:
    return made.server.directory / "conf" / "app.dev.yaml"


def first_pixel(png: bytes) -> tuple[int, ...]:
    """The colour of the first pixel of a PNG: there is nothing before it that a filter could lean on."""
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    return tuple(zlib.decompress(data)[1:4])


def dump(made: Furnished) -> dict[str, list[tuple[Any, ...]]]:
    store = opened(made.server)
    try:
        found = {}
        for name, table in desk_tables.metadata.tables.items():
            if name not in LIVE_TABLES:
                rows = store.database.read(
                    lambda connection, table=table: connection.execute(select(table)).all()  # type: ignore[misc]
                )
                found[name] = sorted((tuple(row) for row in rows), key=repr)
        return found
    finally:
        store.close()


def add_renewable(made: Furnished, count: int, refused: int) -> None:
    wishes = [{"name": f"crew-{number:02}", "refresh": "rt"} for number in range(count)]
    accounts = made_accounts(made.simulator, wishes)
    store = opened(made.server)
    new = []
    for number, account in enumerate(accounts):
        refresh = account["refresh_token"] if number >= refused else f"rt_{'0' * 60}{number}"
        new.append(
            NewAccount(
                access_token=Secret(account["access_token"]),
                refresh_token=Secret(refresh),
                email=f"{account['name']}@example.com",
                note="the crew",
            )
        )
    try:
        Intake(store).add(new, "crew.json")
    finally:
        store.close()


def numbers(page: Page) -> dict[str, int]:
    answer = page.request.get(page.url.partition("?")[0], headers={"Accept": "application/json"})
    return dict(answer.json())
